//! An independent check of the filter's output: its own quintic sampler,
//! written from the equations (six conditions, six coefficients), and limits read from the robot,
//! not from the filter.

use std::f64::consts::TAU;

use f1_robot::JointLimits;
use f1_robot::safety::{CheckedTrajectory, FilterOutput, MeasuredState, Response, Rule};

/// Slack on velocity, acceleration and jerk: one percent.
const SLACK: f64 = 1.01;

/// One joint's trajectory: times after the request (s) and p, v, a.
#[derive(Debug, Clone)]
pub struct Track {
    pub points: Vec<(f64, [f64; 3])>,
    /// Coefficients of each piece, solved once.
    pieces: Vec<[f64; 6]>,
}

/// p, v, a, j.
type Sample = [f64; 4];

impl Track {
    pub fn new(points: Vec<(f64, [f64; 3])>) -> Self {
        let pieces = points.windows(2).map(|pair| {
            let ((t0, a), (t1, b)) = (&pair[0], &pair[1]);
            Self::coefficients(a, b, t1 - t0)
        });
        Self { pieces: pieces.collect(), points }
    }

    /// Solves the six conditions by Gaussian elimination in normalised time, unlike the shipped
    /// closed form.
    fn coefficients(a: &[f64; 3], b: &[f64; 3], t: f64) -> [f64; 6] {
        // s(u) = sum c_k u^k, u in 0..1; position relative to a's.
        let (v0, a0) = (a[1] * t, a[2] * t * t);
        let rows = [
            [1.0, 1.0, 1.0, b[0] - a[0] - v0 - a0 / 2.0],
            [3.0, 4.0, 5.0, b[1] * t - v0 - a0],
            [6.0, 12.0, 20.0, b[2] * t * t - a0],
        ];
        let mut m = rows;
        for i in 0..3 {
            for j in 0..3 {
                if i != j {
                    let f = m[j][i] / m[i][i];
                    let pivot = m[i];
                    m[j].iter_mut().zip(pivot).for_each(|(x, p)| *x -= f * p);
                }
            }
        }
        [0.0, v0, a0 / 2.0, m[0][3] / m[0][0], m[1][3] / m[1][1], m[2][3] / m[2][2]]
    }

    pub fn sample(&self, at: f64) -> Sample {
        let last = self.points.len() - 1;
        if at >= self.points[last].0 {
            return [self.points[last].1[0], self.points[last].1[1], self.points[last].1[2], 0.0];
        }
        let i = self.points.partition_point(|(t, _)| *t <= at).saturating_sub(1);
        if last == 0 {
            return [self.points[0].1[0], 0.0, 0.0, 0.0];
        }
        self.within(i)(at)
    }

    /// The sampler of piece `i`.
    #[inline]
    fn within(&self, i: usize) -> impl Fn(f64) -> Sample {
        let ((t0, a), (t1, _)) = (self.points[i], self.points[i + 1]);
        let per = 1.0 / (t1 - t0);
        let [_, c1, c2, c3, c4, c5] = self.pieces[i];
        move |at| {
            let u = ((at - t0) * per).clamp(0.0, 1.0);
            [
                a[0] + u * (c1 + u * (c2 + u * (c3 + u * (c4 + u * c5)))),
                (c1 + u * (2.0 * c2 + u * (3.0 * c3 + u * (4.0 * c4 + u * 5.0 * c5)))) * per,
                (2.0 * c2 + u * (6.0 * c3 + u * (12.0 * c4 + u * 20.0 * c5))) * (per * per),
                (6.0 * c3 + u * (24.0 * c4 + u * 60.0 * c5)) * (per * per * per),
            ]
        }
    }

    /// Samples every `step` seconds from `from` on, and on both sides of every knot, in the order
    /// of time, up to the last knot; until `visit` fails.
    fn walk(
        &self,
        from: f64,
        step: f64,
        mut visit: impl FnMut(f64, Sample) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut count = 0_u32;
        for i in 0..self.pieces.len() {
            let (t0, t1) = (self.points[i].0, self.points[i + 1].0);
            if t1 < from {
                continue;
            }
            let sample = self.within(i);
            if t0 >= from {
                visit(t0, sample(t0))?;
            }
            loop {
                let at = from + step * f64::from(count);
                if at >= t1 {
                    break;
                }
                visit(at, sample(at))?;
                count += 1;
            }
            visit(t1 - 1e-9, sample(t1 - 1e-9))?;
        }
        let end = self.end();
        if end >= from { visit(end, self.sample(end)) } else { Ok(()) }
    }

    pub fn end(&self) -> f64 {
        self.points.last().map_or(0.0, |(t, _)| *t)
    }
}

/// What the checker knows of the robot: what was last sent and when.
#[derive(Debug, Default)]
pub struct Checker {
    pub sent: Option<(i64, Vec<Track>)>,
    /// The last usable measured state: stamp, p and v.
    pub seen: Option<(i64, Vec<[f64; 2]>)>,
    now: i64,
}

/// How the joints stand before a request: from what was sent, else as measured.
pub struct Before {
    pub now: i64,
    /// p, v, a of each joint.
    pub running: Option<Vec<[f64; 3]>>,
    pub measured: Option<Vec<[f64; 2]>>,
}

pub fn tracks(limits: &[JointLimits], trajectories: &[CheckedTrajectory]) -> Vec<Track> {
    limits
        .iter()
        .map(|joint| {
            let mut found = trajectories.iter().filter_map(|trajectory| {
                let column =
                    trajectory.joint_names().iter().position(|name| *name == joint.name)?;
                let point = |p: &f1_robot::safety::CheckedPoint| {
                    (p.t, [p.position[column], p.velocity[column], p.acceleration[column]])
                };
                Some(Track::new(trajectory.points().iter().map(point).collect()))
            });
            let track = found.next().unwrap_or_else(|| panic!("nothing for {}", joint.name));
            assert!(found.next().is_none(), "{} is commanded twice", joint.name);
            track
        })
        .collect()
}

impl Checker {
    pub fn before(
        &mut self,
        now: i64,
        state: Option<&MeasuredState>,
        limits: &[JointLimits],
    ) -> Before {
        if now < self.now {
            self.seen = None;
        }
        self.now = now;
        let running = self.sent.as_ref().map(|(at, tracks)| {
            let t = (now - at) as f64 / 1e9;
            tracks.iter().map(|track| track.sample(t)).map(|s| [s[0], s[1], s[2]]).collect()
        });
        let read = |state: &MeasuredState| {
            limits
                .iter()
                .map(|joint| {
                    let mut places =
                        (0..state.names.len()).filter(|i| state.names[*i] == joint.name);
                    let i = places.next().filter(|_| places.next().is_none())?;
                    let velocity = state.velocities.get(i).copied().filter(|v| !v.is_nan());
                    let velocity = velocity.unwrap_or(0.0);
                    let state = [*state.positions.get(i)?, velocity];
                    (state[0].abs() <= 1e3 && state[1].abs() <= 1e3).then_some(state)
                })
                .collect::<Option<Vec<_>>>()
        };
        let whole = |state: &&MeasuredState| {
            let n = state.names.len();
            state.positions.len() == n && state.velocities.len() <= n
        };
        if let Some(state) = state.filter(whole)
            && let Some(joints) = read(state)
        {
            self.seen = Some((state.stamp, joints));
        }
        let measured = self.seen.as_ref().map(|(stamp, joints)| {
            let age = (now - stamp) as f64 / 1e9;
            joints.iter().map(|[p, v]| [p + age * v, *v]).collect()
        });
        Before { now, running, measured }
    }

    /// Checks an answer at `step` seconds and takes over what was sent. `Err`: what is wrong.
    pub fn check(
        &mut self,
        before: &Before,
        output: &FilterOutput,
        limits: &[JointLimits],
        step: f64,
    ) -> Result<(), String> {
        if output.trajectories.is_empty() {
            return Ok(());
        }
        let stamp = output.trajectories[0].stamp();
        let times: Vec<f64> = output.trajectories[0].points().iter().map(|point| point.t).collect();
        for trajectory in &output.trajectories {
            if trajectory.stamp() != stamp || trajectory.stamp() != before.now {
                return Err("stamps differ".into());
            }
            let own: Vec<f64> = trajectory.points().iter().map(|point| point.t).collect();
            if own != times
                || own.is_empty()
                || own.windows(2).any(|pair| pair[1] <= pair[0])
                || own[0] < 0.0
            {
                return Err(format!("times {own:?}"));
            }
        }
        let tracks = tracks(limits, &output.trajectories);
        let measured_wins = output.events.iter().any(|event| {
            event.action == Response::Restarted
                && matches!(event.rule, Rule::Disagreement | Rule::Resume | Rule::Clock)
        });
        for (j, (track, limit)) in tracks.iter().zip(limits).enumerate() {
            let fault = |fault: String| format!("{}: {fault} {:?}", limit.name, output.verdict);
            let first = track.points[0];
            // The first point may lie up to half a millisecond after now.
            let ahead = first.0;
            let running =
                before.running.as_ref().filter(|_| !measured_wins).map(|running| running[j]);
            let (expected, allowed) = match (running, &before.measured, &self.sent) {
                (Some(running), _, Some((at, sent))) => {
                    let from = (before.now - at) as f64 / 1e9;
                    let mut out = outside(running[0], limit);
                    let furthest = |_, [p, ..]: Sample| {
                        out = out.max(outside(p, limit));
                        Ok(())
                    };
                    sent[j].walk(from, 1e-3, furthest)?;
                    (running, out)
                }
                (_, Some(measured), _) => {
                    let [p, v] = measured[j];
                    // On the turn that the filter took; which one it may take is not checked here.
                    let p = if limit.continuous {
                        first.1[0] - first.0 * v + short(p - first.1[0] + first.0 * v)
                    } else {
                        p
                    };
                    // Braking starts on a grid of half a millisecond.
                    let way = stop_way(v, limit) * 1.001 + 1.5e-3 * v;
                    ([p, v, 0.0], outside(p, limit).max(outside(p + way, limit)))
                }
                _ => return Err(fault("sent without knowing where it is".into())),
            };
            let moved = expected[0] + ahead * expected[1];
            let near = apart(limit, first.1[0], moved) <= 1e-6
                && (first.1[1] - expected[1] - ahead * expected[2]).abs() <= 1e-4
                && (first.1[2] - expected[2]).abs() <= 1e-2;
            if ahead > 6e-4 || (!near && ahead == 0.0) {
                return Err(fault(format!("starts at {first:?}, not at {expected:?}")));
            }
            check_track(track, limit, allowed, step).map_err(fault)?;
        }
        self.sent = Some((before.now, tracks));
        Ok(())
    }

    /// Whether every waypoint due after `now` is met.
    pub fn meets(
        &self,
        limits: &[JointLimits],
        now: i64,
        rows: &[Vec<f64>],
        stamp: i64,
        rate: f64,
    ) -> Result<(), String> {
        let Some((at, tracks)) = &self.sent else { return Err("nothing was sent".into()) };
        for (i, row) in rows.iter().enumerate() {
            let due = (stamp - now) as f64 / 1e9 + (i as f64 + 1.0) / rate;
            if due <= 0.0 {
                continue;
            }
            let t = due + (now - at) as f64 / 1e9;
            for ((track, asked), limit) in tracks.iter().zip(row).zip(limits) {
                let got = track.sample(t)[0];
                if apart(limit, got, *asked) > 1e-6 {
                    return Err(format!("row {i}: {got} instead of {asked}"));
                }
            }
        }
        Ok(())
    }
}

/// Limits along one joint's track, sampled every `step` seconds and on both sides of every knot.
/// `allowed` is how far outside its bounds the joint gets whatever anyone does.
fn check_track(track: &Track, limit: &JointLimits, allowed: f64, step: f64) -> Result<(), String> {
    let end = track.end();
    let begin = track.points[0].0;
    let start = track.sample(begin);
    let mut fastest = start[1].abs();
    let mut furthest = allowed;
    let mut inward = false;
    track.walk(begin, step, |t, [p, v, a, j]| {
        if ![p, v, a, j].iter().all(|x| x.is_finite()) {
            return Err(format!("not finite at {t}"));
        }
        let out = outside(p, limit);
        // Up to its first standstill the joint may be carried out as far as it must; from then on
        // inward only.
        inward |= v * start[1] <= 0.0;
        if out > furthest + 1e-6 {
            return Err(format!(
                "position {p} is {out} outside at {t}, allowed {furthest}, start {start:?}"
            ));
        }
        if inward {
            furthest = furthest.min(out);
        }
        if v.abs() > (limit.velocity * SLACK).max(fastest * (1.0 + 1e-6)) + 1e-7 {
            return Err(format!("velocity {v} at {t}, limit {}", limit.velocity));
        }
        fastest = fastest.min(v.abs());
        if a.abs() > limit.acceleration * SLACK + 1e-6 {
            return Err(format!("acceleration {a} at {t}, limit {}", limit.acceleration));
        }
        if j.abs() > limit.jerk * SLACK + 1e-3 {
            return Err(format!("jerk {j} at {t}, limit {}", limit.jerk));
        }
        Ok(())
    })?;
    let [_, v, a, _] = track.sample(end);
    if v != 0.0 || a != 0.0 {
        return Err(format!("ends with velocity {v} and acceleration {a}"));
    }
    Ok(())
}

/// How far apart two positions are; on a circle whole turns do not count.
fn apart(limit: &JointLimits, a: f64, b: f64) -> f64 {
    if limit.continuous { short(a - b).abs() } else { (a - b).abs() }
}

/// A way on a circle without whole turns.
fn short(way: f64) -> f64 {
    way - TAU * (way / TAU).round()
}

fn outside(p: f64, limit: &JointLimits) -> f64 {
    (p - limit.upper).max(limit.lower - p).max(0.0)
}

/// The signed way of the fastest stop from speed `v` without acceleration.
fn stop_way(v: f64, limit: &JointLimits) -> f64 {
    let (a, j, s) = (limit.acceleration, limit.jerk, v.abs());
    if s == 0.0 {
        return 0.0;
    }
    let time = if s * j <= a * a { 2.0 * (s / j).sqrt() } else { s / a + a / j };
    v * time / 2.0
}

#[test]
fn the_independent_checker_finds_each_fault() {
    let limit = crate::filter_any_input::joint("a".into(), -1.0, 1.0, 1.0, 5.0, 60.0);
    let fault =
        |points: &[(f64, [f64; 3])]| check_track(&Track::new(points.to_vec()), &limit, 0.0, 1e-3);
    assert_eq!(fault(&[(0.0, [0.0; 3]), (1.0, [0.3, 0.0, 0.0])]), Ok(()));
    for (word, points) in [
        ("velocity", vec![(0.0, [-0.9, 0.0, 0.0]), (1.5, [0.9, 0.0, 0.0])]),
        ("acceleration", vec![(0.0, [0.0, 0.0, 6.0]), (1.0, [0.3, 0.0, 0.0])]),
        ("jerk", vec![(0.0, [0.0; 3]), (0.1, [0.002, 0.0, 0.0])]),
        ("outside", vec![(0.0, [0.9, 0.0, 0.0]), (1.0, [1.01, 0.0, 0.0])]),
        // Between two knots that are inside.
        ("outside", vec![(0.0, [0.99, 0.3, 0.0]), (1.0, [0.99, 0.0, 0.0])]),
        ("ends", vec![(0.0, [0.0; 3]), (1.0, [0.3, 0.1, 0.0])]),
        ("finite", vec![(0.0, [0.0; 3]), (1.0, [f64::NAN, 0.0, 0.0])]),
    ] {
        let found = fault(&points);
        assert!(found.as_ref().is_err_and(|fault| fault.contains(word)), "{word}: {found:?}");
    }
}
