//! Cutting a recording into episodes of evenly spaced frames.

use super::recorded::Recorded;

/// One frame: which messages it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// ns of ROS time.
    pub time_ns: i64,
    /// Index of each camera's image.
    pub images: Vec<usize>,
    /// Index of the measurement.
    pub joints: usize,
}

/// Frames under one instruction without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Episode {
    pub task: String,
    pub frames: Vec<Frame>,
}

/// Splits by instruction, and where a camera or the joints are silent for more than `gap` seconds.
pub(super) fn split(recorded: &Recorded, fps: u32, gap: f64) -> Vec<Episode> {
    let cameras: Vec<Vec<i64>> = recorded
        .cameras
        .iter()
        .map(|camera| camera.images.iter().map(|(stamp, _)| *stamp).collect())
        .collect();
    let joints: Vec<i64> = recorded.joints.iter().map(|joints| joints.stamp_ns).collect();
    let mut out = Vec::new();
    for (number, (begin, task)) in recorded.instructions.iter().enumerate() {
        if !task.is_empty() {
            let end = recorded.instructions.get(number + 1).map_or(i64::MAX, |(end, _)| *end);
            let runs = frames(&cameras, &joints, (*begin, end), fps, (gap * 1e9) as i64);
            out.extend(runs.into_iter().map(|frames| Episode { task: task.clone(), frames }));
        }
    }
    out
}

/// Runs of frames between `begin` and `end`. Every camera gives its newest image, as the policy
/// would have seen it; of the joints, which are measured far more often, the nearest measurement is
/// taken.
fn frames(
    cameras: &[Vec<i64>],
    joints: &[i64],
    (begin, end): (i64, i64),
    fps: u32,
    gap_ns: i64,
) -> Vec<Vec<Frame>> {
    let streams = || cameras.iter().map(Vec::as_slice).chain([joints]);
    let first =
        streams().filter_map(|stamps| stamps.first().copied()).max().unwrap_or(i64::MAX).max(begin);
    let last = streams().filter_map(|stamps| stamps.last().copied()).min().unwrap_or(i64::MIN);
    let mut runs = Vec::new();
    let mut run: Vec<Frame> = Vec::new();
    let mut start = first;
    let mut step = 0i64;
    loop {
        // From the run's start anew each time: periods that are no whole nanoseconds must not add
        // up.
        let time_ns = start.saturating_add(step * 1_000_000_000 / i64::from(fps));
        if time_ns > last || time_ns >= end {
            break;
        }
        let newest =
            |stamps: &[i64]| stamps.partition_point(|stamp| *stamp <= time_ns).checked_sub(1);
        let silent = streams().find_map(|stamps| match newest(stamps) {
            Some(index) if time_ns - stamps[index] <= gap_ns => None,
            // Everything is there again at the next message of the one that was silent.
            index => Some(stamps.get(index.map_or(0, |index| index + 1)).copied()),
        });
        if let Some(again) = silent {
            runs.push(std::mem::take(&mut run));
            let Some(again) = again else { break };
            (start, step) = (again.max(time_ns + 1), 0);
            continue;
        }
        run.push(Frame {
            time_ns,
            images: cameras.iter().map(|stamps| newest(stamps).unwrap_or(0)).collect(),
            joints: nearest(joints, time_ns),
        });
        step += 1;
    }
    runs.push(run);
    runs.retain(|run| !run.is_empty());
    runs
}

/// Index of the stamp nearest to a time; stamps are sorted and there is at least one.
pub(super) fn nearest(stamps: &[i64], time_ns: i64) -> usize {
    let after = stamps.partition_point(|stamp| *stamp < time_ns);
    match after {
        0 => 0,
        _ if after == stamps.len() => after - 1,
        _ if stamps[after] - time_ns < time_ns - stamps[after - 1] => after,
        _ => after - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn every(period: i64, from: i64, to: i64) -> Vec<i64> {
        (from..=to).step_by(period as usize).map(|ms| ms * MS).collect()
    }

    #[test]
    fn frames_are_evenly_spaced_and_take_the_newest_image() {
        let cameras = [every(33, 0, 1000), every(50, 20, 1000)];
        let runs = frames(&cameras, &every(10, 0, 1000), (i64::MIN, i64::MAX), 10, 500 * MS);
        assert_eq!(runs.len(), 1);
        let times: Vec<i64> = runs[0].iter().map(|frame| frame.time_ns / MS).collect();
        assert_eq!(times, [20, 120, 220, 320, 420, 520, 620, 720, 820, 920]);
        // At 120 ms the newest of 0, 33, 66, 99 and of 20, 70, 120.
        assert_eq!(runs[0][1], Frame { time_ns: 120 * MS, images: vec![3, 2], joints: 12 });
    }

    #[test]
    fn a_silent_camera_ends_the_episode_and_the_next_begins_with_its_return() {
        let mut camera = every(50, 0, 1000);
        camera.extend(every(50, 3010, 4000));
        let runs = frames(&[camera], &every(10, 0, 4000), (i64::MIN, i64::MAX), 10, 300 * MS);
        let spans: Vec<(i64, i64)> =
            runs.iter().map(|run| (run[0].time_ns / MS, run[run.len() - 1].time_ns / MS)).collect();
        assert_eq!(spans, [(0, 1300), (3010, 3910)]);
    }

    #[test]
    fn nothing_lies_outside_an_instruction() {
        let camera = [every(50, 0, 2000)];
        let runs = frames(&camera, &every(10, 0, 2000), (510 * MS, 1000 * MS), 10, 300 * MS);
        let times: Vec<i64> = runs[0].iter().map(|frame| frame.time_ns / MS).collect();
        assert_eq!(times, [510, 610, 710, 810, 910]);
        assert!(frames(&camera, &[], (0, 1000 * MS), 10, MS).is_empty());
    }
}
