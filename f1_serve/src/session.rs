//! What one connection has shown: its history by control steps, and what was foreseen for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use image::RgbImage;

/// How a history is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    /// Frames of the model's history, now included.
    pub frames: usize,
    /// Steps between two of them, and from now to the foreseen image.
    pub stride: usize,
}

/// What was foreseen, and for which step.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// The image, as the history camera's frames look to the network.
    pub image: RgbImage,
    /// The step at which it is due.
    pub due: u64,
}

/// One connection's memory; `F` is a frame as the network keeps it.
pub struct Session<F> {
    settings: HistorySettings,
    idle_reset: Option<Duration>,
    frames: VecDeque<(u64, F)>,
    step: u64,
    prompt: Option<String>,
    last_request: Option<Instant>,
    foreseen: VecDeque<Foreseen>,
    requests: u64,
}

impl<F: Clone> Session<F> {
    /// A connection that has shown nothing. After a pause longer than `idle_reset` the history
    /// starts anew.
    #[must_use]
    pub fn new(settings: HistorySettings, idle_reset: Option<Duration>) -> Self {
        Self {
            settings,
            idle_reset,
            frames: VecDeque::new(),
            step: 0,
            prompt: None,
            last_request: None,
            foreseen: VecDeque::new(),
            requests: 0,
        }
    }

    /// Forgets the history; the next request is its first frame.
    pub fn reset(&mut self) {
        self.frames.clear();
        self.foreseen.clear();
        self.step = 0;
    }

    /// A request begins at `now` with this instruction: a new instruction, `reset`, or a long
    /// pause starts the history anew; otherwise `steps` steps have passed since the last one.
    /// Whether a history began anew, the first one included.
    pub fn begin(&mut self, prompt: &str, reset: bool, steps: usize, now: Instant) -> bool {
        let paused = match (self.idle_reset, self.last_request) {
            (Some(limit), Some(last)) => now.saturating_duration_since(last) > limit,
            _ => false,
        };
        let anew = reset || paused || self.prompt.as_deref() != Some(prompt);
        if anew {
            self.reset();
        } else {
            self.step += steps as u64;
        }
        self.prompt = Some(prompt.to_owned());
        self.last_request = Some(now);
        self.requests += 1;
        anew
    }

    /// Requests so far, this one included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// The step of the current request.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The history of the current request, oldest first: for each moment the newest frame that is
    /// not later; where the connection began later, its first frame. As many frames as the model
    /// takes, the one kept last as the newest.
    #[must_use]
    pub fn history(&self) -> Vec<F> {
        let mut past = Vec::new();
        for back in (0..self.settings.frames).rev() {
            let moment = (back * self.settings.stride) as u64;
            let frame = match self.step.checked_sub(moment) {
                Some(moment) => self.frames.iter().rev().find(|(step, _)| *step <= moment),
                None => None,
            };
            past.extend(frame.or(self.frames.front()).map(|(_, frame)| frame.clone()));
        }
        past
    }

    /// Whether the connection has shown enough for a whole history without repeating its first
    /// frame.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.step >= ((self.settings.frames - 1) * self.settings.stride) as u64
    }

    /// Frames of the history that the connection has shown by now, the current one included.
    #[must_use]
    pub fn shown(&self) -> usize {
        let strides = self.step as usize / self.settings.stride.max(1);
        (strides + 1).min(self.settings.frames)
    }

    /// Keeps the current request's frame; what no later history needs is dropped.
    pub fn keep(&mut self, frame: F) {
        let span = ((self.settings.frames - 1) * self.settings.stride) as u64;
        self.frames.push_back((self.step, frame));
        let oldest = self.step.saturating_sub(span);
        // The newest frame that is not later than the oldest moment stays.
        while self.frames.len() > 1 && self.frames.get(1).is_some_and(|(step, _)| *step <= oldest) {
            self.frames.pop_front();
        }
    }

    /// Notes what was foreseen at the current step.
    pub fn foresaw(&mut self, image: RgbImage) {
        let due = self.step + self.settings.stride as u64;
        self.foreseen.push_back(Foreseen { image, due });
        while self.foreseen.len() > self.settings.stride + 1 {
            self.foreseen.pop_front();
        }
    }

    /// What was foreseen for the current step, if anything was; older ones are dropped.
    pub fn came(&mut self) -> Option<RgbImage> {
        while self.foreseen.front().is_some_and(|foreseen| foreseen.due < self.step) {
            self.foreseen.pop_front();
        }
        match self.foreseen.front() {
            Some(foreseen) if foreseen.due == self.step => {
                self.foreseen.pop_front().map(|foreseen| foreseen.image)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: HistorySettings = HistorySettings { frames: 4, stride: 5 };

    /// Steps of the frames that a history holds after requests at every `every`th step.
    fn history_after(requests: usize, every: usize) -> Vec<u64> {
        let mut session = Session::new(SETTINGS, None);
        let mut history = Vec::new();
        for _ in 0..requests {
            session.begin("pick", false, every, Instant::now());
            session.keep(session.step());
            history = session.history();
        }
        history
    }

    #[test]
    fn a_history_is_one_stride_apart_whatever_the_rate_of_requests() {
        assert_eq!(history_after(40, 1), [24, 29, 34, 39]);
        assert_eq!(history_after(9, 5), [25, 30, 35, 40]);
        // Requests every two steps: the newest frame that is not later.
        assert_eq!(history_after(21, 2), [24, 30, 34, 40]);
        // Requests less often than the stride.
        assert_eq!(history_after(5, 8), [16, 16, 24, 32]);
    }

    #[test]
    fn before_the_history_is_full_its_first_frame_is_repeated() {
        assert_eq!(history_after(1, 5), [0, 0, 0, 0]);
        assert_eq!(history_after(2, 5), [0, 0, 0, 5]);
        assert_eq!(history_after(3, 5), [0, 0, 5, 10]);
        let mut session = Session::new(SETTINGS, None);
        for full in [false, false, false, true] {
            session.begin("pick", false, 5, Instant::now());
            assert_eq!(session.is_full(), full, "step {}", session.step());
            session.keep(0);
        }
    }

    #[test]
    fn a_new_instruction_a_reset_and_a_long_pause_begin_a_new_history() {
        let mut session = Session::new(SETTINGS, Some(Duration::from_secs(10)));
        let start = Instant::now();
        let mut at = |seconds: u64, prompt: &str, reset: bool| {
            session.begin(prompt, reset, 5, start + Duration::from_secs(seconds));
            session.keep(0);
            session.step()
        };
        assert_eq!(at(0, "pick", false), 0);
        assert_eq!(at(9, "pick", false), 5);
        assert_eq!(at(10, "drop", false), 0);
        assert_eq!(at(11, "drop", false), 5);
        assert_eq!(at(12, "drop", true), 0);
        assert_eq!(at(13, "drop", false), 5);
        assert_eq!(at(24, "drop", false), 0);
    }

    #[test]
    fn a_pause_does_not_matter_unless_it_is_asked_for() {
        let mut session = Session::new(SETTINGS, None);
        let start = Instant::now();
        session.begin("pick", false, 5, start);
        session.keep(0);
        session.begin("pick", false, 5, start + Duration::from_secs(100_000));
        assert_eq!(session.step(), 5);
    }

    #[test]
    fn memory_stays_bounded() {
        let mut session = Session::new(SETTINGS, None);
        for _ in 0..10_000 {
            session.begin("pick", false, 1, Instant::now());
            session.keep(0);
            session.foresaw(RgbImage::new(1, 1));
            session.came();
        }
        assert!(session.frames.len() <= 17 && session.foreseen.len() <= 6);
    }

    #[test]
    fn what_was_foreseen_is_compared_with_the_step_it_was_foreseen_for() {
        let mut session: Session<u8> = Session::new(SETTINGS, None);
        let image = |value| RgbImage::from_pixel(1, 1, image::Rgb([value; 3]));
        for step in 0..8u8 {
            session.begin("pick", false, 1, Instant::now());
            session.keep(0);
            let came = session.came().map(|foreseen| foreseen.get_pixel(0, 0).0[0]);
            assert_eq!(came, step.checked_sub(5));
            session.foresaw(image(step));
        }
    }
}
