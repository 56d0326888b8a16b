//! The way home: braking what runs, the straight motion, and what ends it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use f1_robot::safety::{FilterOutput, Verdict};

use super::super::events::sentence;
use super::super::home::{HomeEnd, HomeRequest};
use super::{Guarded, Shared};
use crate::condition::{Condition, Restart, Source};

/// How long the robot may take to come to rest before it starts, and to follow at the end.
const SETTLES: Duration = Duration::from_secs(5);

/// Feedback is given at every so many ticks.
const FEEDBACK: u32 = 5;

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// What ran before is braked.
    Braking,
    /// On the way.
    Moving,
    /// Braked on the way, because of this.
    Ending(HomeEnd, String),
}

/// Going home at the moment.
pub(super) struct Homing {
    request: HomeRequest,
    phase: Phase,
    /// Until when the phase may last, on the steady clock, once nothing is sent any more.
    until: Duration,
    ticks: u32,
}

/// What is still to be done with the filter's lock released.
type Ended = Option<(HomeRequest, HomeEnd, String)>;

impl Homing {
    /// Why the filter is to stop at this tick.
    pub(super) fn stops(&self) -> Option<&str> {
        match &self.phase {
            Phase::Braking => Some("going home"),
            Phase::Moving => None,
            Phase::Ending(_, reason) => Some(reason),
        }
    }

    /// What runs was braked because of this.
    pub(super) fn stop(&mut self, reason: &str) {
        let end = match self.phase {
            Phase::Braking => HomeEnd::Refused,
            Phase::Moving => HomeEnd::Stopped,
            Phase::Ending(..) => return,
        };
        self.phase = Phase::Ending(end, reason.to_owned());
    }
}

impl Shared {
    /// Goes home; a wish that cannot be followed now ends at once.
    pub fn go_home(&self, request: HomeRequest) {
        let until = self.clock.steady() + SETTLES;
        let homing = Homing { request, phase: Phase::Braking, until, ticks: 0 };
        let refused = {
            let mut guarded = self.guarded.lock();
            // Read with the lock, which the end of a deactivation takes too.
            if !self.active.load(Ordering::SeqCst) {
                Some((homing, "safety_filter is not active"))
            } else if guarded.home.is_some() {
                Some((homing, "the robot is on its way home already"))
            } else {
                guarded.home = Some(homing);
                self.core.status.lock().raise(Condition::GoingHome);
                None
            }
        };
        if let Some((refused, reason)) = refused {
            refused.request.end(HomeEnd::Refused, reason);
        }
    }

    /// Ends the way home because the node comes to a stop.
    pub fn end_home(&self, reason: &str) {
        let home = self.guarded.lock().home.take();
        if let Some(home) = home {
            self.finish_home(Some((home.request, HomeEnd::Stopped, reason.to_owned())));
        }
    }

    /// Ends the request, and has the policy begin anew from where the robot is.
    pub(super) fn finish_home(&self, ended: Ended) {
        let Some((request, end, reason)) = ended else { return };
        tracing::info!(?end, reason, "going home has ended");
        self.core.status.lock().clear(&Source::Home);
        self.core.restart(Restart::WentHome);
        request.end(end, reason);
    }

    /// One tick of the way home, after the filter's step with `output`.
    pub(super) fn home(&self, guarded: &mut Guarded, output: &FilterOutput, now_ns: i64) -> Ended {
        let mut home = guarded.home.take()?;
        let rests = !guarded.filter.moves(now_ns) && !self.outputs.is_streaming();
        match self.home_phase(&mut home, guarded, output, rests, now_ns) {
            Some((end, reason)) => Some((home.request, end, reason)),
            None => {
                guarded.home = Some(home);
                None
            }
        }
    }

    fn home_phase(
        &self,
        home: &mut Homing,
        guarded: &mut Guarded,
        output: &FilterOutput,
        rests: bool,
        now_ns: i64,
    ) -> Option<(HomeEnd, String)> {
        let late = self.clock.steady() > home.until;
        let demands = self.demands(guarded, now_ns);
        if demands.any() || guarded.handed_over {
            home.stop(&demands.reason());
        } else if (home.request.cancelled)() && !matches!(home.phase, Phase::Ending(..)) {
            home.phase = Phase::Ending(HomeEnd::Cancelled, "going home was cancelled".to_owned());
        }
        match home.phase.clone() {
            Phase::Ending(end, reason) => return rests.then_some((end, reason)),
            Phase::Braking if rests && !guarded.fast => {
                return self.start_home(home, guarded, now_ns);
            }
            Phase::Braking if late => {
                return Some((HomeEnd::Refused, "the robot does not come to rest".to_owned()));
            }
            Phase::Braking => {}
            Phase::Moving => {
                // What is sent now replaces the motion: the robot is not where it should be.
                if output.verdict == Verdict::Stopped || !output.trajectories.is_empty() {
                    let events = output.events.iter().map(|event| sentence(event, &self.robot));
                    home.stop(&events.collect::<Vec<_>>().join("; "));
                    return None;
                }
                let (joint, distance, near) = self.distance_from_home(guarded, now_ns);
                home.ticks += 1;
                if home.ticks.is_multiple_of(FEEDBACK) {
                    (home.request.feedback)(distance);
                }
                if !rests {
                    home.until = self.clock.steady() + SETTLES;
                } else if near {
                    return Some((HomeEnd::Arrived, "the robot is at home".to_owned()));
                } else if late {
                    let text = format!("{joint} is {distance:.4} from home and comes no nearer");
                    return Some((HomeEnd::Stopped, text));
                }
            }
        }
        None
    }

    /// Begins the straight motion from where the robot rests.
    fn start_home(
        &self,
        home: &mut Homing,
        guarded: &mut Guarded,
        now_ns: i64,
    ) -> Option<(HomeEnd, String)> {
        let asked = home.request.speed_scale;
        let scale = if asked > 0.0 { asked } else { guarded.home_speed };
        let output = guarded.filter.go_straight(now_ns, self.robot.home(), scale);
        for message in guarded.log.messages(&output.events, &self.robot, now_ns, None, "") {
            self.publish(message);
        }
        if output.verdict != Verdict::Accepted {
            let events = output.events.iter().map(|event| sentence(event, &self.robot));
            return Some((HomeEnd::Refused, events.collect::<Vec<_>>().join("; ")));
        }
        self.outputs.send(&output.trajectories, now_ns);
        home.phase = Phase::Moving;
        home.until = self.clock.steady() + SETTLES;
        None
    }

    /// The joint that was measured furthest from home, how far, and whether all are there.
    fn distance_from_home(&self, guarded: &Guarded, now_ns: i64) -> (String, f64, bool) {
        let Some(measured) = guarded.filter.measured_at(now_ns) else {
            return (String::new(), f64::INFINITY, false);
        };
        let (home, joints) = (self.robot.home(), self.robot.joints());
        let off =
            |joint: usize| (joints[joint].near(measured[joint], home[joint]) - home[joint]).abs();
        let near = guarded.filter.position_tolerances().enumerate().all(|(i, near)| off(i) <= near);
        let furthest = (0..joints.len()).max_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap_or(0);
        (joints[furthest].name.clone(), off(furthest), near)
    }
}
