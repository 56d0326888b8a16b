//! Cutting a recording into episodes of evenly spaced frames.

use super::observations::Observed;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// ns of ROS time.
    pub time_ns: i64,
    /// Index of the observation.
    pub observation: usize,
}

/// Frames under one instruction without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Episode {
    pub task: String,
    pub frames: Vec<Frame>,
    /// Why it ends, where neither the instruction nor the recording does.
    pub ended: Option<String>,
}

/// Splits by instruction, and where there is no new observation for more than `gap` seconds.
pub(super) fn split(
    instructions: &[(i64, String)],
    observed: &Observed,
    fps: u32,
    gap: f64,
) -> Vec<Episode> {
    let stamps: Vec<i64> = observed.list.iter().map(|one| one.stamp_ns).collect();
    // A sensor that stops is seen by the others, which go on.
    let last_ns = observed.used.iter().filter_map(|(_, stamps)| stamps.last()).max();
    let last_ns = last_ns.copied().unwrap_or(i64::MIN);
    let mut episodes = Vec::new();
    for (number, (begin, task)) in instructions.iter().enumerate() {
        if !task.is_empty() {
            let end = instructions.get(number + 1).map_or(i64::MAX, |(end, _)| *end);
            for run in runs(&stamps, (*begin, end), last_ns, fps, (gap * 1e9) as i64) {
                let ended = run.silent.map(|(from_ns, to_ns)| observed.why_silent(from_ns, to_ns));
                episodes.push(Episode { task: task.clone(), frames: run.frames, ended });
            }
        }
    }
    episodes
}

/// Frames without a gap.
#[derive(Debug, Default)]
struct Run {
    frames: Vec<Frame>,
    /// Stamp of the last observation and the first moment at which it was too old, ns, where the
    /// run ends for lack of observations.
    silent: Option<(i64, i64)>,
}

/// Runs of frames between `begin` and `end`, to `last_ns`: each frame has the newest observation.
/// A run ends with the frame that uses its last observation first: what repeats it was not seen.
fn runs(stamps: &[i64], (begin, end): (i64, i64), last_ns: i64, fps: u32, gap_ns: i64) -> Vec<Run> {
    let Some(first) = stamps.first() else { return Vec::new() };
    let mut runs = Vec::new();
    let mut run = Run::default();
    let mut start = begin.max(*first);
    let mut step = 0i64;
    loop {
        // From the run's start anew each time: periods that are no whole nanoseconds must not add
        // up.
        let time_ns = start.saturating_add(step * 1_000_000_000 / i64::from(fps));
        if time_ns > last_ns || time_ns >= end {
            break;
        }
        let after = stamps.partition_point(|stamp| *stamp <= time_ns);
        match after.checked_sub(1).filter(|index| time_ns - stamps[*index] <= gap_ns) {
            Some(observation) => {
                run.frames.push(Frame { time_ns, observation });
                step += 1;
            }
            None => {
                let used = run.frames.last().map(|frame| frame.observation);
                run.silent = used.map(|index| (stamps[index], time_ns));
                runs.push(std::mem::take(&mut run));
                let Some(again) = stamps.get(after) else { break };
                (start, step) = (*again, 0);
            }
        }
    }
    runs.push(run);
    for run in &mut runs {
        while let [.., before, last] = run.frames.as_slice()
            && before.observation == last.observation
        {
            run.frames.pop();
        }
    }
    runs.retain(|run| !run.frames.is_empty());
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
    fn frames_are_evenly_spaced_and_take_the_newest_observation() {
        let runs = runs(&every(33, 20, 1000), (i64::MIN, i64::MAX), 1000 * MS, 10, 500 * MS);
        assert_eq!(runs.len(), 1);
        let times: Vec<i64> = runs[0].frames.iter().map(|frame| frame.time_ns / MS).collect();
        assert_eq!(times, [20, 120, 220, 320, 420, 520, 620, 720, 820, 920]);
        // At 120 ms the newest of 20, 53, 86, 119.
        assert_eq!(runs[0].frames[1], Frame { time_ns: 120 * MS, observation: 3 });
        assert_eq!(runs[0].silent, None);
    }

    #[test]
    fn an_episode_ends_with_the_last_observation_and_the_next_begins_with_the_next() {
        let mut stamps = every(50, 0, 1000);
        stamps.extend(every(50, 3010, 4000));
        let runs = runs(&stamps, (i64::MIN, i64::MAX), 4000 * MS, 10, 300 * MS);
        let spans: Vec<(i64, i64)> = runs
            .iter()
            .map(|run| &run.frames)
            .map(|run| (run[0].time_ns / MS, run[run.len() - 1].time_ns / MS))
            .collect();
        assert_eq!(spans, [(0, 1000), (3010, 3910)]);
        assert_eq!(runs[0].silent, Some((1000 * MS, 1400 * MS)));
        assert_eq!(runs[1].silent, None);
    }

    #[test]
    fn a_pause_that_is_shorter_than_the_gap_is_bridged() {
        let mut stamps = every(50, 0, 1000);
        stamps.extend(every(50, 1250, 2000));
        let runs = runs(&stamps, (i64::MIN, i64::MAX), 2000 * MS, 10, 300 * MS);
        assert_eq!((runs.len(), runs[0].frames.len()), (1, 21));
    }

    #[test]
    fn an_episode_that_ends_before_the_recording_does_is_reported() {
        let stamps = every(50, 0, 1000);
        let all = (i64::MIN, i64::MAX);
        let runs_to = |last: i64| runs(&stamps, all, last * MS, 10, 300 * MS);
        let ends = |run: &Run| run.frames[run.frames.len() - 1].time_ns / MS;
        assert_eq!((ends(&runs_to(3000)[0]), runs_to(3000)[0].silent.is_some()), (1000, true));
        assert_eq!((ends(&runs_to(1200)[0]), runs_to(1200)[0].silent), (1000, None));
    }

    #[test]
    fn nothing_lies_outside_an_instruction() {
        let stamps = every(50, 0, 2000);
        let runs = runs(&stamps, (510 * MS, 1000 * MS), 2000 * MS, 10, 300 * MS);
        let times: Vec<i64> = runs[0].frames.iter().map(|frame| frame.time_ns / MS).collect();
        assert_eq!(times, [510, 610, 710, 810, 910]);
    }

    #[test]
    fn without_an_observation_there_is_no_episode() {
        assert!(runs(&[], (0, 1000 * MS), 1000 * MS, 10, MS).is_empty());
    }
}
