//! Which sensors send nothing, or nothing that can be used, and whose stamps never fit together.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::intake::{Buffers, Health, Shared};
use crate::condition::{Check, Condition, Sensor, Source};

impl Shared {
    /// Sets or clears the conditions of sensors that send nothing, or nothing that can be used.
    pub fn look_for_silence(&self, now: Duration) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let limit = Duration::from_nanos(self.settings.silent_ns.unsigned_abs());
        let (cameras, joints, unmatched) = {
            let buffers = self.buffers.lock();
            let unmatched = self.unmatched(&buffers, now, limit);
            (buffers.cameras.clone(), buffers.joints.clone(), unmatched)
        };
        let no_clock = self.clock.is_simulated() && self.clock.now().nanoseconds() == 0;
        let mut status = self.core.status.lock();
        status.set(&Source::Clock, no_clock.then_some(Condition::NoClock));
        status.set(&Source::Synchronisation, unmatched);
        let mut set = |sensor: Sensor, health: &Health| {
            let source = sensor.source(Check::Silence);
            status.set(&source, silence(sensor, health, now, limit));
        };
        for (index, health) in cameras.iter().enumerate() {
            if self.cameras[index].1 {
                set(self.sensor(index), health);
            }
        }
        set(Sensor::Joints, &joints);
    }

    /// Why nothing fits together although every sensor delivers: the two whose newest stamps are
    /// furthest apart.
    fn unmatched(&self, buffers: &Buffers, now: Duration, limit: Duration) -> Option<Condition> {
        let fresh = |health: &Health| now.saturating_sub(health.used) <= limit;
        let since = now.saturating_sub(buffers.matched);
        let required: Vec<usize> =
            (0..self.cameras.len()).filter(|index| self.cameras[*index].1).collect();
        if since <= limit
            || !fresh(&buffers.joints)
            || !required.iter().all(|index| fresh(&buffers.cameras[*index]))
        {
            return None;
        }
        let cameras = required.iter().filter_map(|index| {
            Some((buffers.synchroniser.newest_ns(*index)?, self.sensor(*index)))
        });
        let joints = buffers.synchroniser.newest_joints_ns().map(|stamp| (stamp, Sensor::Joints));
        let mut stamps: Vec<(i64, Sensor)> = cameras.chain(joints).collect();
        stamps.sort();
        let ((oldest, late), (newest, early)) = (stamps.first()?, stamps.last()?);
        Some(Condition::Unmatched {
            seconds: since.as_secs_f64(),
            late: late.clone(),
            early: early.clone(),
            apart: (newest - oldest) as f64 * 1e-9,
            slop: self.settings.slop_ns as f64 * 1e-9,
        })
    }
}

/// The condition of a sensor whose last message was received and used at the times in `health`.
fn silence(sensor: Sensor, health: &Health, now: Duration, limit: Duration) -> Option<Condition> {
    let silent = now.saturating_sub(health.received);
    let unused = now.saturating_sub(health.used);
    if silent > limit {
        return Some(Condition::Silent { sensor, seconds: silent.as_secs_f64() });
    }
    let fault = health.fault.clone().filter(|_| unused > limit)?;
    Some(Condition::Unusable { sensor, seconds: unused.as_secs_f64(), fault })
}
