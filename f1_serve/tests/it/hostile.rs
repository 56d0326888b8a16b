//! Hostile frames: whatever bytes come, a decoder answers with an observation or a reason.

use f1_serve::RequestError;
use f1_serve::array::{Array, Dialect};
use f1_serve::layout::Layout;
use f1_serve::message;
use f1_serve::observation::Observation;
use f1_serve::vla_eval::Envelope;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rmpv::Value;

const LAYOUTS: [&str; 2] = [
    include_str!("../../../config/layouts/bench.yaml"),
    include_str!("../../../config/layouts/aloha.yaml"),
];

/// Words that mean something to a decoder.
const WORDS: [&str; 22] = [
    "__ndarray__",
    "__npgeneric__",
    "__image__",
    "data",
    "dtype",
    "shape",
    "format",
    "type",
    "payload",
    "seq",
    "timestamp",
    "observation",
    "observation/front",
    "observation/state",
    "images",
    "front",
    "prompt",
    "history",
    "frozen",
    "seed",
    "png",
    "state",
];
const DTYPES: [&str; 10] = ["|u1", "<f4", "<f8", ">i8", "|b1", "<f2", "O", "<c16", "|V8", "f"];

struct Frames {
    random: ChaCha8Rng,
}

impl Frames {
    fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }

    fn key(&mut self) -> Value {
        match self.below(4) {
            0 => Value::Binary(self.word().as_bytes().to_vec()),
            1 => self.value(1),
            _ => self.word().into(),
        }
    }

    /// An array whose parts may contradict each other.
    fn array(&mut self) -> Value {
        let dimensions = self.below(5);
        let extent = |frames: &mut Self| match frames.below(12) {
            0 => Value::from(u64::MAX),
            1 => Value::from(-1),
            2 => Value::from(1_u64 << 40),
            _ => Value::from(frames.below(9) as u64),
        };
        let shape: Vec<Value> = (0..dimensions).map(|_| extent(self)).collect();
        let product = shape.iter().filter_map(Value::as_u64).try_fold(1_u64, u64::checked_mul);
        let dtype = DTYPES[self.below(DTYPES.len())];
        let size = match dtype.as_bytes().last() {
            Some(b'4') => 4,
            Some(b'8') => 8,
            Some(b'2') => 2,
            _ => 1,
        };
        let fitting = product.unwrap_or(7).saturating_mul(size).min(4096) as usize;
        let length = if self.below(3) == 0 { self.below(64) } else { fitting };
        let mut data = vec![0; length];
        self.random.fill(&mut data[..]);
        let names = ["__ndarray__", "data", "dtype", "shape"];
        let values = [true.into(), Value::Binary(data), dtype.into(), Value::Array(shape)];
        let binary = self.below(2) == 0;
        let mut map: Vec<(Value, Value)> = names
            .iter()
            .zip(values)
            .map(|(name, value)| {
                let key =
                    if binary { Value::Binary(name.as_bytes().into()) } else { (*name).into() };
                (key, value)
            })
            .collect();
        if self.below(6) == 0 {
            map.remove(self.below(4));
        }
        Value::Map(map)
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 8 } else { 12 }) {
            0 => Value::Nil,
            1 => (self.below(2) == 0).into(),
            2 => self.random.random::<i64>().into(),
            3 => Value::F64(f64::from_bits(self.random.random())),
            4 => self.word().into(),
            5 => Value::Binary((0..self.below(20)).map(|_| self.random.random()).collect()),
            6 => self.array(),
            7 => Value::Ext(self.random.random(), vec![0; self.below(9)]),
            8 | 9 => {
                let length = self.below(5);
                Value::Array((0..length).map(|_| self.value(depth - 1)).collect())
            }
            _ => {
                let length = self.below(6);
                Value::Map((0..length).map(|_| (self.key(), self.value(depth - 1))).collect())
            }
        }
    }

    /// An observation of the bench, good in all but a few entries.
    fn observation(&mut self) -> Value {
        let dialect = if self.below(2) == 0 { Dialect::Openpi } else { Dialect::VlaEval };
        let image = Array::from_u8(vec![2, 2, 3], vec![7; 12]).unwrap().write(dialect);
        let state = Array::from_f32(vec![8], &[0.5; 8]).unwrap().write(dialect);
        let pair = vec![("front".into(), image.clone()), ("wrist".into(), image.clone())];
        let mut map: Vec<(Value, Value)> = vec![
            ("observation/front".into(), image.clone()),
            ("observation/wrist".into(), image),
            ("observation/state".into(), state.clone()),
            ("state".into(), state),
            ("images".into(), Value::Map(pair)),
            ("prompt".into(), "pick".into()),
            ("task_description".into(), "pick".into()),
        ];
        for _ in 0..self.below(3) {
            let at = self.below(map.len());
            map[at].1 = self.value(3);
        }
        for _ in 0..self.below(3) {
            map.push((self.key(), self.value(3)));
        }
        Value::Map(map)
    }

    fn frame(&mut self) -> Vec<u8> {
        let value = match self.below(8) {
            0 => {
                let length = self.below(300);
                return (0..length).map(|_| self.random.random()).collect();
            }
            1 => self.value(4),
            2..=4 => self.observation(),
            _ => {
                let payload = self.observation();
                let mut map = vec![
                    ("type".into(), "observation".into()),
                    ("payload".into(), payload),
                    ("seq".into(), self.value(1)),
                    ("timestamp".into(), 1.5.into()),
                ];
                if self.below(4) == 0 {
                    let at = self.below(4);
                    map[at] = (self.key(), self.value(2));
                }
                Value::Map(map)
            }
        };
        let mut bytes = message::write(&value);
        // Most frames stay whole: a flipped byte seldom gets far.
        if self.below(3) == 0 {
            for _ in 0..1 + self.below(4) {
                let at = self.below(bytes.len());
                match self.below(3) {
                    0 => bytes[at] = self.random.random(),
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, self.random.random()),
                }
            }
        }
        bytes
    }
}

/// Reads `count` frames with both decoders; how many were observations of the bench.
fn read(count: u64, seed: u64) -> u64 {
    let layouts = LAYOUTS.map(|text| Layout::parse(text, "layout").unwrap());
    let mut frames = Frames::new(seed);
    let mut good = 0;
    let mut take = |read: Result<Observation, RequestError>, layout: &Layout| match read {
        Ok(observation) => {
            good += 1;
            assert_eq!(observation.state.len(), layout.state_width());
            assert!(observation.state.iter().all(|value| value.is_finite()));
            for image in observation.images.iter().flatten() {
                assert!(image.width() > 0 && image.height() > 0);
            }
        }
        Err(error) => assert!(error.to_string().len() < 20_000, "{error}"),
    };
    for _ in 0..count {
        let bytes = frames.frame();
        for layout in &layouts {
            if let Ok(map) = message::read(&bytes) {
                take(Observation::read(&map, layout, Dialect::Openpi), layout);
            }
            if let Ok(envelope) = Envelope::read(&bytes) {
                take(Observation::read(&envelope.payload, layout, Dialect::VlaEval), layout);
            }
        }
    }
    good
}

#[test]
fn no_frame_breaks_a_decoder() {
    let good = read(20_000, 1);
    // The frames get through to every check: some pass them all.
    assert!(good > 500, "{good}");
}

#[test]
#[ignore = "by hand: a minute"]
fn no_frame_of_a_million_breaks_a_decoder() {
    let good = read(1_000_000, 2);
    println!("{good} of them were observations");
}
