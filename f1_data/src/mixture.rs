//! Several data sets mixed by weight, in an order that a seed decides and a position resumes.

use rand::SeedableRng;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::lerobot::DataError;

/// Which frames of an episode become samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// Every frame.
    All,
    /// This many, spread evenly over the episode (stage I); all of a shorter one.
    PerEpisode(usize),
    /// One in so many, spread evenly over the episode (AgiBot in stage II: 3).
    OneIn(usize),
}

impl Pick {
    /// The frames picked from an episode of `length` frames, none before frame `first`.
    #[must_use]
    pub fn frames_from(self, first: usize, length: usize) -> Vec<usize> {
        self.frames(length.saturating_sub(first)).into_iter().map(|frame| frame + first).collect()
    }

    /// The frames picked from an episode of `length` frames.
    #[must_use]
    pub fn frames(self, length: usize) -> Vec<usize> {
        let target = match self {
            Self::All => length,
            Self::PerEpisode(count) => count,
            Self::OneIn(share) => (length / share.max(1)).max(1),
        };
        match target {
            _ if target >= length => (0..length).collect(),
            0 => Vec::new(),
            1 => vec![0],
            // Evenly spaced from the first frame to the last, rounded down.
            _ => (0..target).map(|i| i * (length - 1) / (target - 1)).collect(),
        }
    }
}

/// One data set's part in a mixture.
#[derive(Debug, Clone)]
pub struct Source {
    /// Weight of each of its samples.
    pub weight: f64,
    /// Its samples: episode and frame.
    pub samples: Vec<(u32, u32)>,
}

/// One drawn sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Running number since the start of the run: the seed of everything random in this sample.
    pub number: u64,
    /// Index of the source.
    pub source: usize,
    /// Episode in the data set.
    pub episode: usize,
    /// Frame in the episode.
    pub frame: usize,
}

/// How far an order has been read; saved in checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Samples drawn.
    pub drawn: u64,
    /// Samples drawn of each source.
    pub counts: Vec<u64>,
}

/// An endless, seeded order over a mixture.
///
/// Each source is read through in a shuffled order that changes every time it is through; sources
/// take turns so that at any moment each has given its share (weight times samples) to within one
/// sample.
#[derive(Debug)]
pub struct Order {
    sources: Vec<Source>,
    shares: Vec<f64>,
    seed: u64,
    position: Position,
    shuffled: Vec<Option<(u64, Vec<u32>)>>,
}

impl Order {
    /// An order over `sources` that continues at `position`.
    ///
    /// # Errors
    /// When there is nothing to draw, a weight is not usable, or the position belongs to another
    /// mixture.
    pub fn new(sources: Vec<Source>, seed: u64, mut position: Position) -> Result<Self, DataError> {
        let masses: Vec<f64> = sources.iter().map(|s| s.weight * s.samples.len() as f64).collect();
        let total: f64 = masses.iter().sum();
        if masses.iter().any(|mass| !mass.is_finite() || *mass < 0.0) || total <= 0.0 {
            return Err(DataError::Usage(
                "the mixture has no samples, or a weight is negative".into(),
            ));
        }
        if position.counts.is_empty() && position.drawn == 0 {
            position.counts = vec![0; sources.len()];
        }
        if position.counts.len() != sources.len()
            || position.counts.iter().sum::<u64>() != position.drawn
        {
            return Err(DataError::Usage(
                "the saved data position belongs to other data sets".into(),
            ));
        }
        let shares = masses.iter().map(|mass| mass / total).collect();
        Ok(Self { shuffled: vec![None; sources.len()], shares, sources, seed, position })
    }

    /// How far the order has been read.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Samples of one pass over all sources.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.sources.iter().map(|source| source.samples.len()).sum()
    }

    /// Part of each source in the mixture, summing to 1.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// Draws the next sample.
    pub fn draw(&mut self) -> Drawn {
        let number = self.position.drawn;
        let due = |source: usize| {
            self.shares[source] * (number + 1) as f64 - self.position.counts[source] as f64
        };
        let source = (0..self.shares.len())
            .filter(|source| self.shares[*source] > 0.0)
            .max_by(|a, b| due(*a).total_cmp(&due(*b)).then(b.cmp(a)))
            .unwrap_or(0);
        let samples = self.sources[source].samples.len() as u64;
        let count = self.position.counts[source];
        let (pass, place) = (count / samples, (count % samples) as usize);
        let cached = self.shuffled[source].as_ref().is_some_and(|(of, _)| *of == pass);
        if !cached {
            self.shuffled[source] =
                Some((pass, shuffle(samples as usize, self.seed, source, pass)));
        }
        let index = self.shuffled[source].as_ref().map_or(0, |(_, order)| order[place] as usize);
        let (episode, frame) = self.sources[source].samples[index];
        self.position.counts[source] += 1;
        self.position.drawn += 1;
        Drawn { number, source, episode: episode as usize, frame: frame as usize }
    }
}

fn shuffle(samples: usize, seed: u64, source: usize, pass: u64) -> Vec<u32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(pass.wrapping_mul(1024).wrapping_add(source as u64));
    let mut order: Vec<u32> = (0..samples as u32).collect();
    order.shuffle(&mut random);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let samples = |count: u32| (0..count).map(|i| (i / 10, i % 10)).collect();
        vec![
            Source { weight: 1.0, samples: samples(30) },
            Source { weight: 3.0, samples: samples(20) },
        ]
    }

    #[test]
    fn shares_are_weight_times_samples() {
        let mut order = Order::new(sources(), 7, Position::default()).unwrap();
        let mut counts = [0u32; 2];
        for _ in 0..900 {
            counts[order.draw().source] += 1;
        }
        assert_eq!(counts, [300, 600]);
    }

    #[test]
    fn a_pass_shows_every_sample_once_and_the_next_in_another_order() {
        let mut order = Order::new(sources()[..1].to_vec(), 7, Position::default()).unwrap();
        let pass = |order: &mut Order| -> Vec<(usize, usize)> {
            (0..30).map(|_| order.draw()).map(|drawn| (drawn.episode, drawn.frame)).collect()
        };
        let (first, second) = (pass(&mut order), pass(&mut order));
        assert_ne!(first, second);
        let mut sorted = [first, second];
        sorted.iter_mut().for_each(|pass| pass.sort_unstable());
        assert_eq!(sorted[0], sorted[1]);
        sorted[0].dedup();
        assert_eq!(sorted[0].len(), 30);
    }

    #[test]
    fn a_position_resumes_in_the_middle_of_a_pass() {
        let mut whole = Order::new(sources(), 3, Position::default()).unwrap();
        for _ in 0..77 {
            whole.draw();
        }
        let saved = serde_json::to_string(whole.position()).unwrap();
        let mut resumed = Order::new(sources(), 3, serde_json::from_str(&saved).unwrap()).unwrap();
        for _ in 0..200 {
            assert_eq!(whole.draw(), resumed.draw());
        }
    }

    #[test]
    fn a_position_of_other_data_sets_is_refused() {
        let position = Position { drawn: 5, counts: vec![5] };
        assert!(Order::new(sources(), 3, position).is_err());
    }

    #[test]
    fn picked_frames_spread_from_the_first_to_the_last() {
        assert_eq!(Pick::PerEpisode(4).frames(10), [0, 3, 6, 9]);
        assert_eq!(Pick::PerEpisode(20).frames(3), [0, 1, 2]);
        assert_eq!(Pick::OneIn(3).frames(10), [0, 4, 9]);
        assert_eq!(Pick::OneIn(3).frames(2), [0]);
        assert_eq!(Pick::All.frames(3), [0, 1, 2]);
    }
}
