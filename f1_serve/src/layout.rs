//! Layouts: where one kind of client puts its cameras, its state and its instruction, and what it
//! expects of the actions. One YAML file each, unknown keys refused, all faults at once.

use std::path::Path;

use f1_robot::robot_file::Normalisation;
use image::RgbImage;
use serde::Deserialize;

use crate::ServeError;

/// Keys from the outermost map inwards; one text is one key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum KeyPath {
    /// A key of the outermost map, slashes included (`observation/front`).
    One(String),
    /// Keys of maps within maps (`[images, agentview]`).
    Nested(Vec<String>),
}

impl KeyPath {
    /// The keys, outermost first.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        match self {
            KeyPath::One(key) => std::slice::from_ref(key),
            KeyPath::Nested(keys) => keys,
        }
    }
}

impl std::fmt::Display for KeyPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quoted: Vec<String> = self.keys().iter().map(|key| format!("{key:?}")).collect();
        formatter.write_str(&quoted.join(" > "))
    }
}

/// A key in each protocol; one that a protocol's clients never send is left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// In openpi's observations.
    #[serde(default)]
    pub openpi: Option<KeyPath>,
    /// In vla-eval's observations.
    #[serde(default)]
    pub vla_eval: Option<KeyPath>,
}

/// How a client's image is turned before the network sees it, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub enum Rotation {
    /// As it comes.
    #[default]
    None,
    /// A quarter turn.
    Quarter,
    /// Half a turn.
    Half,
    /// Three quarters of a turn.
    ThreeQuarters,
}

impl TryFrom<u16> for Rotation {
    type Error = String;

    fn try_from(degrees: u16) -> Result<Self, String> {
        match degrees {
            0 => Ok(Rotation::None),
            90 => Ok(Rotation::Quarter),
            180 => Ok(Rotation::Half),
            270 => Ok(Rotation::ThreeQuarters),
            other => Err(format!("rotate: {other}: choose 0, 90, 180 or 270 degrees clockwise")),
        }
    }
}

/// How a client's image is mirrored, after it was turned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mirror {
    /// Not at all.
    #[default]
    None,
    /// Left and right change places.
    Horizontal,
    /// Top and bottom change places.
    Vertical,
}

/// Order of an image array's axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axes {
    /// Height, width, channels.
    #[default]
    Hwc,
    /// Channels, height, width.
    Chw,
}

/// One camera of the client, in the order of the model's cameras.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraLayout {
    /// Name for messages.
    pub name: String,
    /// Key of its image in openpi's observations.
    #[serde(default)]
    pub openpi: Option<KeyPath>,
    /// Key of its image in vla-eval's observations.
    #[serde(default)]
    pub vla_eval: Option<KeyPath>,
    /// Clockwise turn, degrees.
    #[serde(default)]
    pub rotate: Rotation,
    /// Mirroring, after the turn.
    #[serde(default)]
    pub mirror: Mirror,
    /// Order of the axes.
    #[serde(default)]
    pub axes: Axes,
    /// Whether the model's history is of this camera.
    #[serde(default)]
    pub history: bool,
    /// Whether the understanding expert sees it; a camera for the history alone does not need to.
    #[serde(default = "yes")]
    pub understanding: bool,
    /// Whether a request without it is served (the camera is left out, as in training).
    #[serde(default)]
    pub optional: bool,
}

fn yes() -> bool {
    true
}

impl CameraLayout {
    /// The client's image as the network's data had it.
    #[must_use]
    pub fn orient(&self, image: RgbImage) -> RgbImage {
        let turned = match self.rotate {
            Rotation::None => image,
            Rotation::Quarter => image::imageops::rotate90(&image),
            Rotation::Half => image::imageops::rotate180(&image),
            Rotation::ThreeQuarters => image::imageops::rotate270(&image),
        };
        match self.mirror {
            Mirror::None => turned,
            Mirror::Horizontal => image::imageops::flip_horizontal(&turned),
            Mirror::Vertical => image::imageops::flip_vertical(&turned),
        }
    }

    /// The reverse of [`Self::orient`]: an image as the network's data has it, as the client sends
    /// it.
    #[must_use]
    pub fn as_client_sends(&self, image: &RgbImage) -> RgbImage {
        let mirrored = match self.mirror {
            Mirror::None => image.clone(),
            Mirror::Horizontal => image::imageops::flip_horizontal(image),
            Mirror::Vertical => image::imageops::flip_vertical(image),
        };
        match self.rotate {
            Rotation::None => mirrored,
            Rotation::Quarter => image::imageops::rotate270(&mirrored),
            Rotation::Half => image::imageops::rotate180(&mirrored),
            Rotation::ThreeQuarters => image::imageops::rotate90(&mirrored),
        }
    }
}

/// A stretch of the state vector.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatePart {
    /// Key in openpi's observations.
    #[serde(default)]
    pub openpi: Option<KeyPath>,
    /// Key in vla-eval's observations.
    #[serde(default)]
    pub vla_eval: Option<KeyPath>,
    /// Numbers that the client sends there.
    pub size: usize,
    /// Factor from the client's unit to the data set's; one for all, or one each.
    #[serde(default)]
    pub scale: Option<Factors>,
    /// Added after the factor.
    #[serde(default)]
    pub offset: Option<Factors>,
}

impl StatePart {
    /// The client's numbers in the data set's units.
    pub fn to_data_set(&self, numbers: &mut [f64]) {
        for (index, value) in numbers.iter_mut().enumerate() {
            let (scale, offset) = self.factors(index);
            *value = *value * scale + offset;
        }
    }

    /// The reverse of [`Self::to_data_set`].
    pub fn to_client(&self, numbers: &mut [f64]) {
        for (index, value) in numbers.iter_mut().enumerate() {
            let (scale, offset) = self.factors(index);
            *value = (*value - offset) / scale;
        }
    }

    fn factors(&self, index: usize) -> (f64, f64) {
        let scale = self.scale.as_ref().map_or(1.0, |factors| factors.at(index, 1.0));
        (scale, self.offset.as_ref().map_or(0.0, |factors| factors.at(index, 0.0)))
    }
}

/// One number for all dimensions, or one each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Factors {
    /// The same for all.
    All(f64),
    /// One each.
    Each(Vec<f64>),
}

impl Factors {
    /// The number of dimension `index`; `other` where there is none.
    #[must_use]
    pub fn at(&self, index: usize, other: f64) -> f64 {
        match self {
            Factors::All(value) => *value,
            Factors::Each(values) => values.get(index).copied().unwrap_or(other),
        }
    }

    fn faults(&self, what: &str, size: usize, nonzero: bool, faults: &mut Vec<String>) {
        if let Factors::Each(values) = self
            && values.len() != size
        {
            faults.push(format!("{what}: {} numbers, not {size}", values.len()));
        }
        let bad = |value: &f64| !value.is_finite() || (nonzero && *value == 0.0);
        let any = match self {
            Factors::All(value) => bad(value),
            Factors::Each(values) => values.iter().any(bad),
        };
        if any {
            let which = if nonzero { "finite and not zero" } else { "finite" };
            faults.push(format!("{what}: every number must be {which}"));
        }
    }
}

/// Which statistics, and how they normalise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatisticsLayout {
    /// Entry of the checkpoint's `stats.json`.
    pub name: String,
    /// Normalisation of the state.
    #[serde(deserialize_with = "normalisation")]
    pub state: Normalisation,
    /// Normalisation of the actions.
    #[serde(deserialize_with = "normalisation")]
    pub action: Normalisation,
}

/// The words of a robot file's `statistics`.
fn normalisation<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Normalisation, D::Error> {
    match String::deserialize(reader)?.as_str() {
        "mean_std" => Ok(Normalisation::MeanStd),
        "min_max" => Ok(Normalisation::MinMax),
        "quantile" => Ok(Normalisation::Quantile),
        "none" => Ok(Normalisation::None),
        other => Err(serde::de::Error::custom(format!(
            "normalisation {other:?}: choose mean_std, min_max, quantile or none"
        ))),
    }
}

/// The actions of the answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionLayout {
    /// Numbers an action.
    pub width: usize,
    /// Factor from the data set's unit to the client's.
    #[serde(default)]
    pub scale: Option<Factors>,
    /// Added after the factor.
    #[serde(default)]
    pub offset: Option<Factors>,
}

impl ActionLayout {
    /// An action of the data set in the client's units, in place.
    pub fn to_client(&self, row: &mut [f64]) {
        for (index, value) in row.iter_mut().enumerate() {
            let scale = self.scale.as_ref().map_or(1.0, |factors| factors.at(index, 1.0));
            let offset = self.offset.as_ref().map_or(0.0, |factors| factors.at(index, 0.0));
            *value = *value * scale + offset;
        }
    }

    /// The reverse of [`Self::to_client`].
    pub fn to_data_set(&self, row: &mut [f64]) {
        for (index, value) in row.iter_mut().enumerate() {
            let scale = self.scale.as_ref().map_or(1.0, |factors| factors.at(index, 1.0));
            let offset = self.offset.as_ref().map_or(0.0, |factors| factors.at(index, 0.0));
            *value = (*value - offset) / scale;
        }
    }
}

/// The layout of one kind of client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Name, as `--layout` takes it.
    pub name: String,
    /// What kind of client this is, in words; not interpreted.
    #[serde(default)]
    pub description: String,
    /// Cameras in the model's order.
    pub cameras: Vec<CameraLayout>,
    /// Parts of the state, joined in this order.
    #[serde(default)]
    pub state: Vec<StatePart>,
    /// The instruction.
    pub prompt: Keys,
    /// What normalises state and actions.
    pub statistics: StatisticsLayout,
    /// The actions.
    pub action: ActionLayout,
    /// Steps of the client's control loop between two openpi requests (the actions of a chunk that
    /// it executes). vla-eval sends every step.
    #[serde(default = "one")]
    pub steps_between_requests: usize,
}

fn one() -> usize {
    1
}

/// The layouts that are shipped, by name.
pub const SHIPPED: [&str; 5] = ["libero", "droid", "aloha", "metaworld", "bench"];

impl Layout {
    /// Reads a layout: a file, or the name of one in `shipped` (the folder `config/layouts`).
    ///
    /// # Errors
    /// The file cannot be read, or holds faults; all of them are listed.
    pub fn load(name_or_file: &str, shipped: &Path) -> Result<Self, ServeError> {
        let path = if SHIPPED.contains(&name_or_file) {
            shipped.join(format!("{name_or_file}.yaml"))
        } else {
            Path::new(name_or_file).to_owned()
        };
        let text = std::fs::read_to_string(&path).map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                ServeError::Layout {
                    name: name_or_file.into(),
                    faults: vec![format!(
                        "neither a file nor a shipped layout ({})",
                        SHIPPED.join(", ")
                    )],
                }
            } else {
                ServeError::ReadLayout { path: path.clone(), source }
            }
        })?;
        Self::parse(&text, name_or_file)
    }

    /// Reads a layout from text; `origin` names it in errors.
    ///
    /// # Errors
    /// Text that is not YAML or holds faults; all of them are listed.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ServeError> {
        let wrong = |faults| ServeError::Layout { name: origin.to_owned(), faults };
        let layout: Self =
            serde_saphyr::from_str(text).map_err(|error| wrong(vec![error.to_string()]))?;
        let faults = layout.faults();
        if faults.is_empty() { Ok(layout) } else { Err(wrong(faults)) }
    }

    /// Numbers of the state.
    #[must_use]
    pub fn state_width(&self) -> usize {
        self.state.iter().map(|part| part.size).sum()
    }

    /// The camera of the history, if the layout names one.
    #[must_use]
    pub fn history_camera(&self) -> Option<usize> {
        self.cameras.iter().position(|camera| camera.history)
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.cameras.is_empty() {
            faults.push("cameras: at least one".into());
        }
        if self.cameras.iter().filter(|camera| camera.history).count() > 1 {
            faults.push("cameras: one at most has history: true".into());
        }
        let mut unnamed = |what: String, openpi: bool, vla_eval: bool| {
            if !openpi && !vla_eval {
                faults.push(format!("{what}: a key for openpi, vla_eval or both"));
            }
        };
        for camera in &self.cameras {
            let what = format!("camera {:?}", camera.name);
            unnamed(what, camera.openpi.is_some(), camera.vla_eval.is_some());
        }
        for (index, part) in self.state.iter().enumerate() {
            let what = format!("state[{index}]");
            unnamed(what, part.openpi.is_some(), part.vla_eval.is_some());
        }
        let prompt = &self.prompt;
        unnamed("prompt".into(), prompt.openpi.is_some(), prompt.vla_eval.is_some());
        for (index, part) in self.state.iter().enumerate() {
            for (name, factors) in [("scale", &part.scale), ("offset", &part.offset)] {
                if let Some(factors) = factors {
                    let what = format!("state[{index}].{name}");
                    factors.faults(&what, part.size, name == "scale", &mut faults);
                }
            }
        }
        for (name, factors) in [("scale", &self.action.scale), ("offset", &self.action.offset)] {
            if let Some(factors) = factors {
                let what = format!("action.{name}");
                factors.faults(&what, self.action.width, name == "scale", &mut faults);
            }
        }
        if self.action.width == 0 {
            faults.push("action.width: at least 1".into());
        }
        if self.steps_between_requests == 0 {
            faults.push("steps_between_requests: at least 1".into());
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    const BENCH: &str = include_str!("../../config/layouts/bench.yaml");

    #[test]
    fn every_shipped_layout_loads_under_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/layouts");
        for name in SHIPPED {
            assert_eq!(Layout::load(name, &folder).unwrap().name, name);
        }
    }

    #[test]
    fn a_name_that_is_neither_file_nor_layout_lists_the_layouts() {
        let fault = Layout::load("libreo", Path::new("/nowhere")).unwrap_err().to_string();
        assert!(fault.contains("libero, droid"), "{fault}");
    }

    #[test]
    fn all_faults_of_a_layout_come_at_once() {
        let text = BENCH
            .replace("width: 8", "width: 0\n  scale: [1, 0]")
            .replace("openpi: prompt", "")
            .replace("vla_eval: task_description", "")
            .replace("prompt:", "prompt: {}\nsteps_between_requests: 0");
        let fault = Layout::parse(&text, "mine.yaml").unwrap_err().to_string();
        for part in ["mine.yaml", "width", "action.scale", "prompt", "steps_between_requests"] {
            assert!(fault.contains(part), "{part}: {fault}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let fault = Layout::parse(&format!("{BENCH}\nsteps: 3\n"), "x").unwrap_err().to_string();
        assert!(fault.contains("steps"), "{fault}");
    }

    #[test]
    fn images_are_turned_clockwise_then_mirrored() {
        let camera = |rotate, mirror| CameraLayout {
            rotate,
            mirror,
            ..Layout::parse(BENCH, "bench").unwrap().cameras.remove(0)
        };
        // 2 wide, 1 high: red, blue.
        let image = RgbImage::from_raw(2, 1, vec![255, 0, 0, 0, 0, 255]).unwrap();
        let turned = camera(Rotation::Quarter, Mirror::None).orient(image.clone());
        assert_eq!((turned.dimensions(), turned.get_pixel(0, 0).0), ((1, 2), [255, 0, 0]));
        let turned = camera(Rotation::ThreeQuarters, Mirror::Vertical).orient(image.clone());
        assert_eq!((turned.dimensions(), turned.get_pixel(0, 0).0), ((1, 2), [255, 0, 0]));
        let turned = camera(Rotation::Half, Mirror::Horizontal).orient(image.clone());
        assert_eq!(turned, image);
        // What a client sends is turned back into the data set's image.
        let image = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, y as u8, 0]));
        for rotate in [0, 90, 180, 270] {
            for mirror in [Mirror::None, Mirror::Horizontal, Mirror::Vertical] {
                let camera = camera(Rotation::try_from(rotate).unwrap(), mirror);
                assert_eq!(camera.orient(camera.as_client_sends(&image)), image, "{camera:?}");
            }
        }
    }

    #[test]
    fn actions_go_to_the_clients_units_and_back() {
        let action = ActionLayout {
            width: 2,
            scale: Some(Factors::Each(vec![2.0, -1.0])),
            offset: Some(Factors::All(0.5)),
        };
        let mut row = [1.0, 2.0];
        action.to_client(&mut row);
        assert_eq!(row, [2.5, -1.5]);
        action.to_data_set(&mut row);
        assert_eq!(row, [1.0, 2.0]);
    }
}
