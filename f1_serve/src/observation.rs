//! A request's observation, by a layout: images, state, instruction, and the extra keys that our
//! own clients may add. What does not fit is listed whole.

use image::RgbImage;
use rmpv::Value;

use crate::RequestError;
use crate::array::{Array, Dialect};
use crate::layout::{Axes, CameraLayout, KeyPath, Layout};
use crate::message;

/// Most frames of a history in a request.
const MAX_HISTORY: usize = 64;
/// Most actions that are held fixed.
const MAX_FROZEN: usize = 4096;
/// Longest instruction, bytes.
const MAX_PROMPT: usize = 4096;

/// What a request asks for beside the observation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extras {
    /// Seed of tokens and noise.
    pub seed: Option<u64>,
    /// Whether the answer holds the foreseen image.
    pub foresight: bool,
    /// Whether the history starts anew with this request.
    pub reset: bool,
    /// Frames of the history camera, oldest first, in place of what the connection has shown.
    pub history: Option<Vec<RgbImage>>,
    /// The first actions, held fixed: `[n][width]` in the client's units.
    pub frozen: Vec<Vec<f64>>,
    /// When the observation was made, ns of the client's clock; the answer repeats it.
    pub stamp: Option<i64>,
}

/// One observation, in the data set's orientation and units.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// By the layout's cameras; an optional one that is absent is `None`.
    pub images: Vec<Option<RgbImage>>,
    /// The state, joined, raw.
    pub state: Vec<f64>,
    /// The instruction.
    pub prompt: String,
    /// What else was asked.
    pub extras: Extras,
}

impl Observation {
    /// Reads a request.
    ///
    /// # Errors
    /// [`RequestError::Observation`] with every fault.
    pub fn read(
        map: &[(Value, Value)],
        layout: &Layout,
        dialect: Dialect,
    ) -> Result<Self, RequestError> {
        let mut reader = Reader { map, dialect, faults: Vec::new() };
        let images = layout.cameras.iter().map(|camera| reader.image(camera)).collect();
        let state = reader.state(layout);
        let prompt = reader.prompt(layout);
        let extras = reader.extras(layout);
        let mut faults = reader.faults;
        if faults.is_empty() {
            return Ok(Self { images, state, prompt, extras });
        }
        faults.push(format!("the request's keys: {}", message::keys(map).join(", ")));
        Err(RequestError::Observation { layout: layout.name.clone(), faults })
    }
}

struct Reader<'a> {
    map: &'a [(Value, Value)],
    dialect: Dialect,
    faults: Vec<String>,
}

impl<'a> Reader<'a> {
    fn key<'k>(
        &self,
        openpi: &'k Option<KeyPath>,
        vla_eval: &'k Option<KeyPath>,
    ) -> Option<&'k KeyPath> {
        match self.dialect {
            Dialect::Openpi => openpi.as_ref(),
            Dialect::VlaEval => vla_eval.as_ref(),
        }
    }

    fn find(&self, path: &KeyPath) -> Option<&'a Value> {
        let (last, outer) = path.keys().split_last()?;
        let mut map = self.map;
        for key in outer {
            match message::get(map, key) {
                Some(Value::Map(inner)) => map = inner,
                _ => return None,
            }
        }
        message::get(map, last)
    }

    /// The array under a key; what is wrong with it is noted.
    fn array(&mut self, what: &str, path: &KeyPath, required: bool) -> Option<Array> {
        let Some(value) = self.find(path) else {
            if required {
                self.faults.push(format!("{what}: key {path} is missing"));
            }
            return None;
        };
        match Array::read(value, self.dialect) {
            Ok(Some(array)) => Some(array),
            Ok(None) => {
                let found = message::kind(value);
                self.faults.push(format!("{what}: key {path} holds {found}, not an array"));
                None
            }
            Err(reason) => {
                self.faults.push(format!("{what}: key {path}: {reason}"));
                None
            }
        }
    }

    fn image(&mut self, camera: &CameraLayout) -> Option<RgbImage> {
        let what = format!("camera {:?}", camera.name);
        let Some(path) = self.key(&camera.openpi, &camera.vla_eval) else {
            if !camera.optional {
                self.faults.push(format!("{what}: the layout has no key for this protocol"));
            }
            return None;
        };
        let path = path.clone();
        let array = self.array(&what, &path, !camera.optional)?;
        match oriented(&array, camera) {
            Ok(image) => Some(image),
            Err(reason) => {
                self.faults.push(format!("{what}: key {path}: {reason}"));
                None
            }
        }
    }

    fn state(&mut self, layout: &Layout) -> Vec<f64> {
        let mut state = Vec::with_capacity(layout.state_width());
        for (index, part) in layout.state.iter().enumerate() {
            let what = format!("state[{index}]");
            let Some(path) = self.key(&part.openpi, &part.vla_eval).cloned() else {
                self.faults.push(format!("{what}: the layout has no key for this protocol"));
                continue;
            };
            let Some(array) = self.array(&what, &path, true) else { continue };
            if array.count() != part.size {
                self.faults.push(format!(
                    "{what}: key {path} has shape {:?}, {} numbers belong there",
                    array.shape(),
                    part.size
                ));
                continue;
            }
            let mut numbers = array.to_f64();
            if let Some(bad) = numbers.iter().position(|value| !value.is_finite()) {
                self.faults.push(format!("{what}: key {path}: number {bad} is not finite"));
            }
            part.to_data_set(&mut numbers);
            state.extend(numbers);
        }
        state
    }

    fn prompt(&mut self, layout: &Layout) -> String {
        let Some(path) = self.key(&layout.prompt.openpi, &layout.prompt.vla_eval).cloned() else {
            self.faults.push("prompt: the layout has no key for this protocol".into());
            return String::new();
        };
        match self.find(&path) {
            Some(Value::String(text)) => match text.as_str() {
                Some(text) if text.len() > MAX_PROMPT => {
                    let length = text.len();
                    self.faults.push(format!(
                        "prompt: key {path} holds {length} bytes, at most {MAX_PROMPT} are taken"
                    ));
                    String::new()
                }
                Some(text) if !text.trim().is_empty() => text.to_owned(),
                Some(_) => {
                    self.faults.push(format!("prompt: key {path} holds no words"));
                    String::new()
                }
                None => {
                    self.faults.push(format!("prompt: key {path} is not UTF-8"));
                    String::new()
                }
            },
            Some(other) => {
                let found = message::kind(other);
                self.faults.push(format!("prompt: key {path} holds {found}, not text"));
                String::new()
            }
            None => {
                self.faults.push(format!("prompt: key {path} is missing"));
                String::new()
            }
        }
    }

    fn extras(&mut self, layout: &Layout) -> Extras {
        let seed = match message::get(self.map, "seed") {
            None | Some(Value::Nil) => None,
            Some(value) => {
                let seed = Array::read(value, self.dialect).ok().flatten();
                let seed = value.as_u64().or_else(|| {
                    seed.filter(|array| array.count() == 1)
                        .and_then(|array| array.to_f64().first().copied())
                        .filter(|number| *number >= 0.0 && number.fract() == 0.0)
                        .map(|number| number as u64)
                });
                if seed.is_none() {
                    self.faults.push("seed: a whole number from 0 up".into());
                }
                seed
            }
        };
        let foresight = self.flag("foresight");
        let reset = self.flag("reset");
        let history = self.history(layout);
        let frozen = self.frozen(layout);
        let stamp = match message::get(self.map, "stamp") {
            None | Some(Value::Nil) => None,
            Some(value) => {
                let stamp = value.as_i64();
                if stamp.is_none() {
                    self.faults.push("stamp: a whole number of nanoseconds".into());
                }
                stamp
            }
        };
        Extras { seed, foresight, reset, history, frozen, stamp }
    }

    fn flag(&mut self, name: &str) -> bool {
        match message::get(self.map, name) {
            None | Some(Value::Nil) => false,
            Some(Value::Boolean(value)) => *value,
            Some(other) => {
                let found = message::kind(other);
                self.faults.push(format!("{name}: {found}, true or false belongs there"));
                false
            }
        }
    }

    /// `{"history": {camera key: uint8 [T, H, W, 3]}}`.
    fn history(&mut self, layout: &Layout) -> Option<Vec<RgbImage>> {
        let value = message::get(self.map, "history").filter(|value| !value.is_nil())?;
        let Some(camera) = layout.history_camera().and_then(|index| layout.cameras.get(index))
        else {
            self.faults.push("history: no camera of the layout has history: true".into());
            return None;
        };
        let path = self.key(&camera.openpi, &camera.vla_eval)?.clone();
        let key = path.keys().last().map_or("", String::as_str);
        let frames = match value {
            Value::Map(map) => message::get(map, key),
            _ => None,
        };
        let Some(frames) = frames else {
            self.faults.push(format!("history: a map with the key {key:?} belongs there"));
            return None;
        };
        let read = match Array::read(frames, self.dialect) {
            Ok(Some(array)) => history_frames(&array, camera),
            Ok(None) => Err("no array".into()),
            Err(reason) => Err(reason),
        };
        match read {
            Ok(frames) => Some(frames),
            Err(reason) => {
                self.faults.push(format!("history: key {key:?}: {reason}"));
                None
            }
        }
    }

    /// `{"frozen": float32 [n, width]}`.
    fn frozen(&mut self, layout: &Layout) -> Vec<Vec<f64>> {
        let Some(value) = message::get(self.map, "frozen").filter(|value| !value.is_nil()) else {
            return Vec::new();
        };
        let width = layout.action.width;
        let rows = match Array::read(value, self.dialect) {
            Ok(Some(array)) => match array.shape() {
                &[rows, columns] if columns == width && rows <= MAX_FROZEN => {
                    let numbers = array.to_f64();
                    if numbers.iter().all(|value| value.is_finite()) {
                        Ok(numbers.chunks_exact(width).map(<[f64]>::to_vec).collect())
                    } else {
                        Err("a number is not finite".to_owned())
                    }
                }
                shape => Err(format!("shape {shape:?}, [n, {width}] belongs there")),
            },
            Ok(None) => Err("no array".into()),
            Err(reason) => Err(reason),
        };
        rows.unwrap_or_else(|reason| {
            self.faults.push(format!("frozen: {reason}"));
            Vec::new()
        })
    }
}

/// A client's image array in the data set's orientation.
fn oriented(array: &Array, camera: &CameraLayout) -> Result<RgbImage, String> {
    let image = match camera.axes {
        Axes::Hwc => array.to_image()?,
        Axes::Chw => channels_last(array)?.to_image()?,
    };
    Ok(camera.orient(image))
}

fn channels_last(array: &Array) -> Result<Array, String> {
    let &[channels, height, width] = array.shape() else {
        return Err(format!("shape {:?}, not [channels, height, width]", array.shape()));
    };
    if !array.is_u8() {
        return Err("an image of another dtype than uint8".into());
    }
    let (plane, bytes) = (height * width, array.bytes());
    let pixels = (0..plane).flat_map(|pixel| (0..channels).map(move |c| c * plane + pixel));
    Array::from_u8(vec![height, width, channels], pixels.map(|at| bytes[at]).collect())
}

fn history_frames(array: &Array, camera: &CameraLayout) -> Result<Vec<RgbImage>, String> {
    let &[count, height, width, channels] = array.shape() else {
        return Err(format!("shape {:?}, not [frames, height, width, channels]", array.shape()));
    };
    let size = height * width * channels;
    if !(1..=MAX_HISTORY).contains(&count) || size == 0 || !array.is_u8() {
        return Err(format!("shape {:?}: uint8 frames, 1 to {MAX_HISTORY}", array.shape()));
    }
    let frames = array.bytes().chunks_exact(size).map(|bytes| {
        let frame = Array::from_u8(vec![height, width, channels], bytes.to_vec())?;
        Ok(camera.orient(frame.to_image()?))
    });
    frames.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BENCH: &str = include_str!("../../config/layouts/bench.yaml");

    fn image(shape: [usize; 3], value: u8) -> Value {
        let data = vec![value; shape.iter().product()];
        Array::from_u8(shape.to_vec(), data).unwrap().write(Dialect::Openpi)
    }

    fn good() -> Vec<(Value, Value)> {
        vec![
            ("observation/front".into(), image([4, 6, 3], 1)),
            ("observation/wrist".into(), image([4, 6, 3], 2)),
            (
                "observation/state".into(),
                Array::from_f32(vec![8], &[0.5; 8]).unwrap().write(Dialect::Openpi),
            ),
            ("prompt".into(), "pick up the red cube".into()),
        ]
    }

    fn read(map: &[(Value, Value)]) -> Result<Observation, RequestError> {
        Observation::read(map, &Layout::parse(BENCH, "bench").unwrap(), Dialect::Openpi)
    }

    #[test]
    fn a_request_of_the_bench_is_read() {
        let observation = read(&good()).unwrap();
        assert_eq!(observation.images[1].as_ref().unwrap().dimensions(), (6, 4));
        assert_eq!(observation.state, [0.5; 8]);
        assert_eq!(observation.prompt, "pick up the red cube");
        assert_eq!(observation.extras, Extras::default());
    }

    #[test]
    fn every_fault_of_a_request_is_named_at_once() {
        let mut map = good();
        map[0].1 = image([4, 6, 2], 1);
        map[1].0 = "observation/wrist_image".into();
        map[2].1 = Array::from_f32(vec![7], &[0.0; 7]).unwrap().write(Dialect::Openpi);
        map[3].1 = 5.into();
        map.push(("foresight".into(), "yes".into()));
        map.push((
            "frozen".into(),
            Array::from_f32(vec![1], &[0.0]).unwrap().write(Dialect::Openpi),
        ));
        map.push(("seed".into(), (-3).into()));
        let fault = read(&map).unwrap_err().to_string();
        for part in [
            "\"front\"",
            "\"wrist\"",
            "is missing",
            "[7]",
            "prompt",
            "foresight",
            "frozen",
            "seed",
            "observation/wrist_image",
        ] {
            assert!(fault.contains(part), "{part}: {fault}");
        }
    }

    #[test]
    fn a_state_that_is_not_finite_is_refused() {
        let mut map = good();
        let mut state = [0.0; 8];
        state[3] = f32::NAN;
        map[2].1 = Array::from_f32(vec![8], &state).unwrap().write(Dialect::Openpi);
        assert!(read(&map).unwrap_err().to_string().contains("number 3"));
    }

    #[test]
    fn extra_keys_are_read() {
        let mut map = good();
        let frames = Array::from_u8(vec![2, 1, 1, 3], vec![1, 2, 3, 4, 5, 6]).unwrap();
        let history = Value::Map(vec![("observation/front".into(), frames.write(Dialect::Openpi))]);
        let frozen = Array::from_f32(vec![2, 8], &[0.25; 16]).unwrap();
        map.push(("seed".into(), 7.into()));
        map.push(("foresight".into(), true.into()));
        map.push(("reset".into(), true.into()));
        map.push(("history".into(), history));
        map.push(("frozen".into(), frozen.write(Dialect::Openpi)));
        map.push(("stamp".into(), 1_700_000_000_000_000_001_i64.into()));
        let extras = read(&map).unwrap().extras;
        assert_eq!((extras.seed, extras.foresight, extras.reset), (Some(7), true, true));
        assert_eq!(extras.history.unwrap()[1].as_raw(), &[4, 5, 6]);
        assert_eq!(extras.frozen, [[0.25; 8], [0.25; 8]]);
        assert_eq!(extras.stamp, Some(1_700_000_000_000_000_001));
    }

    #[test]
    fn what_would_grow_on_its_way_into_the_network_is_refused() {
        let with = |key: &str, value: Value| {
            let mut map = good();
            map.retain(|(known, _)| known.as_str() != Some(key));
            map.push((key.into(), value));
            read(&map).unwrap_err().to_string()
        };
        let pixels = Array::from_u8(vec![65, 1, 1, 3], vec![0; 195]).unwrap();
        let history = Value::Map(vec![("observation/front".into(), pixels.write(Dialect::Openpi))]);
        assert!(with("history", history).contains("1 to 64"));
        let rows = Array::from_f32(vec![4097, 8], &[0.0; 4097 * 8]).unwrap();
        assert!(with("frozen", rows.write(Dialect::Openpi)).contains("[4097, 8]"));
        assert!(with("prompt", "word ".repeat(1000).into()).contains("5000 bytes"));
        let state = Array::from_u8(vec![1 << 20], vec![0; 1 << 20]).unwrap();
        assert!(with("observation/state", state.write(Dialect::Openpi)).contains("1048576"));
    }

    #[test]
    fn channels_first_images_are_turned_into_channels_last() {
        let mut camera = Layout::parse(BENCH, "bench").unwrap().cameras.remove(0);
        camera.axes = Axes::Chw;
        let array = Array::from_u8(vec![3, 1, 2], vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(oriented(&array, &camera).unwrap().as_raw(), &[1, 3, 5, 2, 4, 6]);
    }
}
