//! Which frames and actions belong to the sample at one frame of an episode.

use crate::lerobot::DataError;

/// The recipe's windows, in steps of the data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// History frames, ending at now.
    pub observed: usize,
    /// Foresight frames, after now.
    pub predicted: usize,
    /// Steps between two of them.
    pub stride: usize,
    /// Actions in one chunk.
    pub chunk: usize,
    /// Steps by which actions come later than the frame (AgiBot: 1).
    pub action_shift: usize,
    /// Actions as differences: each against the one before, the first against the state.
    pub delta: bool,
}

impl Window {
    /// A window from the recipe's numbers: `n_obs_img_steps` and `n_pred_img_steps` are spans in
    /// steps, of which every `obs_img_stride`-th is used (12, 3, 3: four history frames and one
    /// ahead).
    ///
    /// # Errors
    /// When a span is no multiple of the stride or a number is 0.
    pub fn new(
        n_obs_img_steps: usize,
        n_pred_img_steps: usize,
        obs_img_stride: usize,
        chunk: usize,
    ) -> Result<Self, DataError> {
        if obs_img_stride == 0 || n_obs_img_steps == 0 || chunk == 0 {
            return Err(DataError::Usage(
                "n_obs_img_steps, obs_img_stride and chunk must be positive".into(),
            ));
        }
        for (name, span) in
            [("n_obs_img_steps", n_obs_img_steps), ("n_pred_img_steps", n_pred_img_steps)]
        {
            if !span.is_multiple_of(obs_img_stride) {
                return Err(DataError::Usage(format!(
                    "{name} {span} is no multiple of obs_img_stride {obs_img_stride}"
                )));
            }
        }
        Ok(Self {
            observed: n_obs_img_steps / obs_img_stride,
            predicted: n_pred_img_steps / obs_img_stride,
            stride: obs_img_stride,
            chunk,
            action_shift: 0,
            delta: false,
        })
    }

    /// Frames of the history, oldest first, then of the foresight; beyond either end of the episode
    /// its end is repeated.
    #[must_use]
    pub fn frames(&self, frame: usize, length: usize) -> Vec<usize> {
        let history = (0..self.observed).rev().map(|back| frame.saturating_sub(back * self.stride));
        let ahead = (1..=self.predicted).map(|step| (frame + step * self.stride).min(length - 1));
        history.chain(ahead).collect()
    }

    /// The chunk that starts at `frame`: actions in data-set units, and which of them lie beyond
    /// the episode's end (these repeat the last one and are masked in the loss).
    #[must_use]
    pub fn chunk(
        &self,
        frame: usize,
        actions: &[Vec<f32>],
        state: &[f32],
    ) -> (Vec<Vec<f32>>, Vec<bool>) {
        let last = actions.len() - 1;
        let first = frame + self.action_shift;
        let mut rows: Vec<Vec<f32>> = Vec::with_capacity(self.chunk);
        let mut padded = Vec::with_capacity(self.chunk);
        for step in first..first + self.chunk {
            rows.push(actions[step.min(last)].clone());
            padded.push(step > last);
        }
        if self.delta {
            to_differences(&mut rows, state);
        }
        (rows, padded)
    }
}

/// Replaces each action by its difference to the one before, the first by its difference to the
/// state.
pub fn to_differences(rows: &mut [Vec<f32>], state: &[f32]) {
    for step in (0..rows.len()).rev() {
        for dim in 0..rows[step].len() {
            let before = match step {
                0 => state.get(dim).copied().unwrap_or(0.0),
                _ => rows[step - 1][dim],
            };
            rows[step][dim] -= before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_ends_at_now_and_repeats_the_first_frame() {
        let window = Window::new(12, 3, 3, 4).unwrap();
        assert_eq!(window.frames(20, 100), [11, 14, 17, 20, 23]);
        assert_eq!(window.frames(4, 100), [0, 0, 1, 4, 7]);
        assert_eq!(window.frames(98, 100), [89, 92, 95, 98, 99]);
    }

    #[test]
    fn a_chunk_past_the_end_repeats_the_last_action_and_says_so() {
        let actions: Vec<Vec<f32>> = (0..5).map(|i| vec![i as f32]).collect();
        let mut window = Window::new(1, 1, 1, 4).unwrap();
        let (rows, padded) = window.chunk(3, &actions, &[0.0]);
        assert_eq!(rows, [[3.0], [4.0], [4.0], [4.0]]);
        assert_eq!(padded, [false, false, true, true]);
        window.action_shift = 1;
        let (rows, padded) = window.chunk(3, &actions, &[0.0]);
        assert_eq!(rows, [[4.0], [4.0], [4.0], [4.0]]);
        assert_eq!(padded, [false, true, true, true]);
    }

    #[test]
    fn differences_chain_and_begin_at_the_state() {
        let mut rows = vec![vec![1.0, 10.0], vec![3.0, 11.0], vec![6.0, 9.0]];
        to_differences(&mut rows, &[0.5, 10.0]);
        assert_eq!(rows, [[0.5, 0.0], [2.0, 1.0], [3.0, -2.0]]);
    }

    #[test]
    fn spans_that_the_stride_does_not_divide_are_refused() {
        assert!(Window::new(10, 3, 3, 4).is_err());
        assert!(Window::new(12, 3, 0, 4).is_err());
    }
}
