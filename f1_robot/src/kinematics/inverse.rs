//! Inverse kinematics by damped least squares, and the slow-down near singularities.

use nalgebra::{DMatrix, DVector, Isometry3, Matrix6, Matrix6xX, Vector6};

use super::Kinematics;
use crate::JointLimits;

/// Settings of the solver. The defaults suit arms of a human's size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InverseOptions {
    /// Position tolerance, m.
    pub position_tolerance: f64,
    /// Rotation tolerance, rad.
    pub rotation_tolerance: f64,
    /// Iterations of one descent.
    pub iterations: usize,
    /// Further descents from other starts when one ends short. 0 keeps the solution near the seed,
    /// as following a path needs.
    pub restarts: usize,
    /// Metres that count as much as one radian.
    pub metres_per_radian: f64,
}

impl Default for InverseOptions {
    fn default() -> Self {
        Self {
            position_tolerance: 1e-5,
            rotation_tolerance: 1e-4,
            iterations: 100,
            restarts: 40,
            metres_per_radian: 0.3,
        }
    }
}

impl InverseOptions {
    /// For following a path: one descent from the seed.
    pub fn tracking() -> Self {
        Self { restarts: 0, iterations: 30, ..Self::default() }
    }
}

/// What the solver found: always within the joint limits, the nearest it came.
#[derive(Debug, Clone, PartialEq)]
pub struct InverseSolution {
    /// The arm's joint positions, in the chain's order.
    pub positions: Vec<f64>,
    /// Distance to the target, m.
    pub position_error: f64,
    /// Angle to the target, rad.
    pub rotation_error: f64,
    /// Whether both are within tolerance.
    pub converged: bool,
}

/// MoveIt Servo's condition numbers: slow down from the first, stop at the second.
pub const SLOW_CONDITION: f64 = 17.0;
/// See [`SLOW_CONDITION`].
pub const STOP_CONDITION: f64 = 30.0;

/// The share of a joint step that is taken at a condition number: 1 below [`SLOW_CONDITION`],
/// falling to 0 at [`STOP_CONDITION`]. Steps away from the singularity are taken whole.
pub fn singularity_scale(condition: f64, toward: bool) -> f64 {
    if !toward || condition < SLOW_CONDITION {
        1.0
    } else if condition >= STOP_CONDITION || !condition.is_finite() {
        0.0
    } else {
        (STOP_CONDITION - condition) / (STOP_CONDITION - SLOW_CONDITION)
    }
}

/// The ratio of a Jacobian's greatest and least singular value; infinite at a singularity.
pub fn condition_number(jacobian: &Matrix6xX<f64>) -> f64 {
    if jacobian.ncols() == 0 {
        return f64::INFINITY;
    }
    // Singular values are the roots of the eigenvalues of the smaller Gram matrix.
    let (least, greatest) = if jacobian.ncols() < 6 {
        let gram: DMatrix<f64> = DMatrix::from(jacobian.transpose() * jacobian);
        let values = gram.symmetric_eigenvalues();
        (values.min(), values.max())
    } else {
        let gram: Matrix6<f64> = jacobian * jacobian.transpose();
        let values = gram.symmetric_eigenvalues();
        (values.min(), values.max())
    };
    if least <= greatest * 1e-15 { f64::INFINITY } else { (greatest / least).sqrt() }
}

/// Distance and angle from `pose` to `target`, as a twist in the base frame: translation and then
/// rotation.
fn twist(pose: &Isometry3<f64>, target: &Isometry3<f64>) -> Vector6<f64> {
    let linear = target.translation.vector - pose.translation.vector;
    let angular = (target.rotation * pose.rotation.inverse()).scaled_axis();
    Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
}

impl Kinematics {
    /// Joint positions of an arm that bring its end effector to `target` (in the arm's base link).
    ///
    /// Levenberg-Marquardt on the pose error, within the limits: a joint at a bound that would be
    /// pushed through it is held and the others go on without it; what freedom is left draws
    /// joints toward the middle of their ranges. `seed` is a whole joint vector, `limits` are
    /// [`crate::Robot::joints`].
    pub fn inverse(
        &self,
        arm: usize,
        target: &Isometry3<f64>,
        seed: &[f64],
        limits: &[JointLimits],
        options: &InverseOptions,
    ) -> InverseSolution {
        let mut best = self.descend(arm, target, seed, limits, options);
        let joints = &self.arms()[arm].joints;
        for restart in 1..=options.restarts {
            if best.converged {
                break;
            }
            let mut start = seed.to_vec();
            start.resize(self.dof(), 0.0);
            for (i, &joint) in joints.iter().enumerate() {
                let limit = &limits[joint];
                let (lower, upper) = limit.range();
                start[joint] = lower + (upper - lower) * halton(restart, i);
            }
            let next = self.descend(arm, target, &start, limits, options);
            let score = |s: &InverseSolution| {
                s.position_error + options.metres_per_radian * s.rotation_error
            };
            if next.converged || score(&next) < score(&best) {
                best = next;
            }
        }
        best
    }

    fn descend(
        &self,
        arm: usize,
        target: &Isometry3<f64>,
        seed: &[f64],
        limits: &[JointLimits],
        options: &InverseOptions,
    ) -> InverseSolution {
        let joints = &self.arms()[arm].joints;
        let count = joints.len();
        let mut vector = seed.to_vec();
        vector.resize(self.dof(), 0.0);
        for &joint in joints {
            vector[joint] = limits[joint].clamp(vector[joint]);
        }
        let scale = options.metres_per_radian;
        let weigh = |mut twist: Vector6<f64>| {
            let mut angular = twist.fixed_rows_mut::<3>(3);
            angular *= scale;
            twist
        };
        let (mut pose, mut jacobian) = self.jacobian(arm, &vector);
        let mut error = twist(&pose, target);
        let mut cost = weigh(error).norm_squared();
        let mut damping = 1e-4;
        let mut stalled = 0;
        for _ in 0..options.iterations {
            let reached = error.fixed_rows::<3>(0).norm() <= options.position_tolerance
                && error.fixed_rows::<3>(3).norm() <= options.rotation_tolerance;
            if reached || !cost.is_finite() || stalled > 8 {
                break;
            }
            let mut weighted = jacobian.clone();
            let mut angular = weighted.rows_mut(3, 3);
            angular *= scale;
            let step = bounded_step(&weighted, &weigh(error), joints, &vector, limits, damping);
            let mut trial = vector.clone();
            for (i, &joint) in joints.iter().enumerate().take(count) {
                trial[joint] = limits[joint].clamp(trial[joint] + step[i].clamp(-0.6, 0.6));
            }
            let (trial_pose, trial_jacobian) = self.jacobian(arm, &trial);
            let trial_error = twist(&trial_pose, target);
            let trial_cost = weigh(trial_error).norm_squared();
            if trial_cost < cost {
                stalled = if trial_cost > 0.98 * cost { stalled + 1 } else { 0 };
                (vector, pose, jacobian, error, cost) =
                    (trial, trial_pose, trial_jacobian, trial_error, trial_cost);
                damping = (damping * 0.2).max(1e-9);
            } else {
                stalled += 1;
                damping = (damping * 5.0).min(1e3);
            }
        }
        let error = twist(&pose, target);
        let position_error = error.fixed_rows::<3>(0).norm();
        let rotation_error = error.fixed_rows::<3>(3).norm();
        InverseSolution {
            positions: joints.iter().map(|&joint| vector[joint]).collect(),
            position_error,
            rotation_error,
            converged: position_error <= options.position_tolerance
                && rotation_error <= options.rotation_tolerance,
        }
    }
}

/// The damped step `(JᵀJ + λ) dq = Jᵀe` over the joints that are not held at a bound, and in what
/// freedom is left a pull toward the middle of each range.
fn bounded_step(
    jacobian: &Matrix6xX<f64>,
    error: &Vector6<f64>,
    joints: &[usize],
    vector: &[f64],
    limits: &[JointLimits],
    damping: f64,
) -> DVector<f64> {
    let count = joints.len();
    let mut held = vec![false; count];
    let mut step = DVector::zeros(count);
    for _ in 0..=count {
        let mut free = jacobian.clone();
        for i in (0..count).filter(|i| held[*i]) {
            free.column_mut(i).fill(0.0);
        }
        // J⁺ = Jᵀ (J Jᵀ + λ I)⁻¹: six by six, whatever the arm.
        let gram: Matrix6<f64> = &free * free.transpose() + Matrix6::identity() * damping;
        let Some(cholesky) = gram.cholesky() else { return DVector::zeros(count) };
        step = free.transpose() * cholesky.solve(error);
        if count > 6 {
            // The pull must not disturb the task: project it on the null space. It fades as the
            // error does, so that it never keeps the descent from ending.
            let pull = DVector::from_fn(count, |i, _| {
                let limit = &limits[joints[i]];
                let range = (limit.upper - limit.lower).max(1e-9);
                // A joint without bounds has no middle to be drawn to: its range is infinite.
                if held[i] { 0.0 } else { 0.2 * (limit.middle() - vector[joints[i]]) / range }
            }) * error.norm().min(1.0);
            step += &pull - free.transpose() * cholesky.solve(&(&free * &pull));
        }
        let mut changed = false;
        for i in 0..count {
            let limit = &limits[joints[i]];
            let position = vector[joints[i]];
            let outward = (position <= limit.lower && step[i] < 0.0)
                || (position >= limit.upper && step[i] > 0.0);
            if outward && !held[i] {
                held[i] = true;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    for i in (0..count).filter(|i| held[*i]) {
        step[i] = 0.0;
    }
    step
}

/// The `index`-th number of the Halton sequence of the `dimension`-th prime: even coverage without
/// a generator.
fn halton(index: usize, dimension: usize) -> f64 {
    const PRIMES: [usize; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    let base = PRIMES[dimension % PRIMES.len()];
    let (mut rest, mut share, mut value) = (index, 1.0, 0.0);
    while rest > 0 {
        share /= base as f64;
        value += share * (rest % base) as f64;
        rest /= base;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_down_follows_moveit_servos_thresholds() {
        for (condition, toward, scale) in [
            (1.0, true, 1.0),
            (16.99, true, 1.0),
            (17.0, true, 1.0),
            (23.5, true, 0.5),
            (30.0, true, 0.0),
            (1e9, true, 0.0),
            (f64::INFINITY, true, 0.0),
            (1e9, false, 1.0),
        ] {
            assert!((singularity_scale(condition, toward) - scale).abs() < 1e-12, "{condition}");
        }
    }

    #[test]
    fn the_condition_number_is_the_ratio_of_singular_values() {
        let mut jacobian = Matrix6xX::<f64>::zeros(6);
        for (i, value) in [4.0, 2.0, 2.0, 1.0, 1.0, 0.5].into_iter().enumerate() {
            jacobian[(i, i)] = value;
        }
        assert!((condition_number(&jacobian) - 8.0).abs() < 1e-9);
        jacobian[(5, 5)] = 0.0;
        assert_eq!(condition_number(&jacobian), f64::INFINITY);
    }
}
