//! Stamps against times of receipt: offsets of clocks are measured and reported.

use super::Stamps;
use super::recorded::Recorded;

/// Offsets that are smaller are not reported, ns: the time that a message takes.
const SMALL_NS: i64 = 1_000_000;

/// Stamps of all sensors that lie this far from their receipt, by the same amount, are those of
/// another clock than the recorder's, ns: beyond what the policy takes for the present.
const OTHER_CLOCK_NS: i64 = 1_000_000_000;

/// Sensors whose offsets differ by less have one clock, ns: the largest distance of stamps in one
/// observation.
const SAME_CLOCK_NS: i64 = 50_000_000;

/// How far a sensor's stamps lie before their receipt.
struct Offset {
    sensor: String,
    median_ns: i64,
}

/// Brings stamps and times of receipt onto one clock where they have two, and reports the offsets
/// that were measured.
pub(super) fn align(recorded: &mut Recorded, stamps: Stamps) -> Vec<String> {
    let offsets = offsets(recorded);
    let mut notes = Vec::new();
    if stamps == Stamps::Receipt {
        recorded.stamp_by_receipt();
        notes.push("times of receipt are used in place of stamps (--stamps receipt)".to_owned());
        return notes;
    }
    let Some(shared) = shared_offset(&offsets) else {
        notes.extend(reported(&offsets));
        return notes;
    };
    recorded.shift_receipts(shared);
    notes.push(format!(
        "the stamps of all sensors lie {} their receipt: they have one clock, and the recorder has another \
         (simulated time?); times of receipt are moved onto that of the stamps",
        before_or_after(shared)
    ));
    let moved = offsets.into_iter();
    let moved: Vec<Offset> =
        moved.map(|one| Offset { median_ns: one.median_ns - shared, ..one }).collect();
    notes.extend(reported(&moved));
    notes
}

/// The offset that all sensors share, if it is none that a driver's delay can explain.
fn shared_offset(offsets: &[Offset]) -> Option<i64> {
    let least = offsets.iter().map(|one| one.median_ns).min()?;
    let most = offsets.iter().map(|one| one.median_ns).max()?;
    let far = least > OTHER_CLOCK_NS || most < -OTHER_CLOCK_NS;
    (far && most - least <= SAME_CLOCK_NS).then_some(least)
}

/// Offsets of the cameras against that of the joints.
fn reported(offsets: &[Offset]) -> Vec<String> {
    let Some((joints, cameras)) = offsets.split_last() else { return Vec::new() };
    let mut notes = Vec::new();
    if joints.median_ns.abs() > SMALL_NS {
        notes.push(format!(
            "{}: stamps lie {} their receipt (median)",
            joints.sensor,
            before_or_after(joints.median_ns)
        ));
    }
    for camera in cameras {
        let against = camera.median_ns - joints.median_ns;
        if against.abs() > SMALL_NS {
            notes.push(format!(
                "{}: stamps lie {} those of the {} (medians of stamp against receipt)",
                camera.sensor,
                before_or_after(against),
                joints.sensor
            ));
        }
    }
    notes
}

fn before_or_after(offset_ns: i64) -> String {
    let seconds = offset_ns.unsigned_abs() as f64 * 1e-9;
    format!("{seconds:.3} s {}", if offset_ns < 0 { "after" } else { "before" })
}

/// One offset a camera, that of the joints last.
fn offsets(recorded: &Recorded) -> Vec<Offset> {
    let cameras = recorded.cameras.iter().map(|camera| {
        let times = camera.images.iter().map(|image| image.received_ns - image.stamp_ns);
        Offset { sensor: format!("camera `{}`", camera.name), median_ns: median(times.collect()) }
    });
    let joints = recorded.joints.iter().map(|joints| joints.received_ns - joints.stamp_ns);
    let joints = Offset { sensor: "joint states".to_owned(), median_ns: median(joints.collect()) };
    cameras.chain([joints]).collect()
}

fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn offset(sensor: &str, median_ms: i64) -> Offset {
        Offset { sensor: sensor.to_owned(), median_ns: median_ms * MS }
    }

    #[test]
    fn a_constant_offset_is_reported_also_below_the_slop() {
        let offsets = [offset("front", 12), offset("wrist", 42), offset("joint states", 12)];
        let notes = reported(&offsets);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[1].starts_with("wrist: stamps lie 0.030 s before"), "{notes:?}");
        assert!(reported(&[offset("front", 0), offset("joint states", 0)]).is_empty());
    }

    #[test]
    fn only_an_offset_of_all_sensors_is_another_clock() {
        let all = [offset("front", 90_000), offset("joint states", 90_010)];
        assert_eq!(shared_offset(&all), Some(90_000 * MS));
        let early = [offset("front", -90_000), offset("joint states", -90_010)];
        assert_eq!(shared_offset(&early), Some(-90_010 * MS));
        // One camera whose clock is wrong, and drivers that are merely slow.
        assert_eq!(shared_offset(&[offset("front", 3_000), offset("joint states", 5)]), None);
        assert_eq!(shared_offset(&[offset("front", 300), offset("joint states", 310)]), None);
    }
}
