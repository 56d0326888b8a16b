//! An observation as a server's layout wants it.

use std::sync::Arc;

use f1_policy_node::observation::Observation;
use f1_policy_node::policy::PastFrame;
use f1_policy_node::resources::cameras_with;
use f1_robot::Robot;
use f1_robot::robot_file::CameraRole;
use f1_serve::array::{Array, Dialect};
use f1_serve::layout::{Axes, CameraLayout, KeyPath, Layout};
use image::RgbImage;
use rmpv::Value;

use crate::metadata::Metadata;

/// Entries of a request, by key.
pub type Entries = Vec<(Value, Value)>;

/// Writes a robot's observations as requests of one layout.
#[derive(Clone, Debug)]
pub struct RequestWriter {
    layout: Layout,
    /// For each camera of the layout its place in the robot file; none for one that is left out.
    cameras: Vec<Option<usize>>,
    metadata: Arc<Metadata>,
}

impl RequestWriter {
    /// For a robot, a layout and what the server says of itself.
    ///
    /// # Errors
    /// Every reason why they do not fit together.
    pub fn new(
        robot: &Robot,
        layout: Layout,
        metadata: Arc<Metadata>,
    ) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut seen = cameras_with(robot, CameraRole::Und).into_iter();
        let names = |index: usize| robot.file().cameras[index].name.clone();
        let mut cameras = Vec::new();
        for camera in &layout.cameras {
            // In order, as the network of a checkpoint folder gets them.
            let place = if camera.understanding {
                seen.next()
            } else {
                cameras_with(robot, CameraRole::History).first().copied()
            };
            if place.is_none() && !camera.optional {
                faults.push(format!("the robot file has no camera for {:?}", camera.name));
            }
            if camera.openpi.is_none() && place.is_some() {
                faults.push(format!("camera {:?}: the layout has no key of openpi", camera.name));
            }
            cameras.push(place);
        }
        faults.extend(seen.map(|left| format!("no place for the robot's camera {}", names(left))));
        if metadata.info.foresight.is_some() {
            let history = layout.history_camera().and_then(|index| cameras[index]);
            let of_robot = cameras_with(robot, CameraRole::History).first().copied();
            match (history, of_robot) {
                (Some(layout), Some(robot)) if layout == robot => {}
                (_, None) => faults.push(
                    "the server foresees, but no camera of the robot file has the role history"
                        .into(),
                ),
                (_, Some(robot)) => faults.push(format!(
                    "the history is of the robot's camera {}, which the layout's history camera is \
                     not",
                    names(robot)
                )),
            }
        }
        let widths = [
            ("state", robot.file().state_dim(), layout.state_width(), metadata.state_width),
            ("action", robot.file().action_dim(), layout.action.width, metadata.action_width),
        ];
        for (what, of_robot, of_layout, of_server) in widths {
            if of_robot != of_layout {
                faults.push(format!(
                    "{what}: {of_robot} numbers of the robot file, {of_layout} of the layout"
                ));
            }
            if let Some(of_server) = of_server
                && of_server != of_layout
            {
                faults.push(format!(
                    "{what}: {of_server} numbers of the server, {of_layout} of the layout"
                ));
            }
        }
        if layout.state.iter().any(|part| part.openpi.is_none()) || layout.prompt.openpi.is_none() {
            faults.push("the layout has no keys of openpi for state and prompt".into());
        }
        if faults.is_empty() { Ok(Self { layout, cameras, metadata }) } else { Err(faults) }
    }

    /// The layout.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether the server takes this key beside the observation.
    #[must_use]
    pub fn takes(&self, key: &str) -> bool {
        self.metadata.takes(key)
    }

    /// The entries of one observation; `show` asks for the foreseen image.
    ///
    /// # Errors
    /// A camera that the layout needs and the observation lacks; frames of another policy.
    pub fn write(
        &self,
        observation: &Observation,
        seed: u64,
        show: bool,
    ) -> Result<Entries, String> {
        let mut entries = Vec::new();
        for (camera, place) in self.layout.cameras.iter().zip(&self.cameras) {
            let frame = place.and_then(|place| observation.cameras.get(place)?.as_ref());
            match (frame, &camera.openpi) {
                (Some(frame), Some(path)) => {
                    put(&mut entries, path, image(&frame.image, camera)?);
                }
                _ if camera.optional => {}
                _ => return Err(format!("camera {:?} has sent nothing", camera.name)),
            }
        }
        self.state(observation, &mut entries)?;
        if let Some(path) = &self.layout.prompt.openpi {
            put(&mut entries, path, Value::from(&*observation.instruction.text));
        }
        let mut extra = |key: &str, value: Value| {
            if self.takes(key) {
                entries.push((Value::from(key), value));
            }
        };
        extra("seed", Value::from(seed));
        extra("stamp", Value::from(observation.stamp_ns));
        if show && self.metadata.info.foresight.is_some() {
            extra("foresight", Value::from(true));
        }
        if self.metadata.info.foresight.is_some() {
            extra("history", self.history(observation)?);
        }
        Ok(entries)
    }

    /// The rows that are held fixed, `[n][width]` in the data set's units.
    ///
    /// # Errors
    /// Rows of another width.
    pub fn frozen(&self, rows: &[Vec<f32>]) -> Result<(Value, Value), String> {
        let width = self.layout.action.width;
        let mut numbers = Vec::with_capacity(rows.len() * width);
        for row in rows {
            let mut row: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
            self.layout.action.to_client(&mut row);
            numbers.extend(row.iter().map(|value| *value as f32));
        }
        let array = Array::from_f32(vec![rows.len(), width], &numbers)?;
        Ok(("frozen".into(), array.write(Dialect::Openpi)))
    }

    fn state(&self, observation: &Observation, entries: &mut Entries) -> Result<(), String> {
        let mut rest = observation.joints.state.as_slice();
        for part in &self.layout.state {
            let (numbers, after) = rest
                .split_at_checked(part.size)
                .ok_or("the state is shorter than the layout says")?;
            rest = after;
            let mut numbers: Vec<f64> = numbers.iter().map(|value| f64::from(*value)).collect();
            part.to_client(&mut numbers);
            let numbers: Vec<f32> = numbers.iter().map(|value| *value as f32).collect();
            if let Some(path) = &part.openpi {
                let array = Array::from_f32(vec![part.size], &numbers)?;
                put(entries, path, array.write(Dialect::Openpi));
            }
        }
        Ok(())
    }

    /// `{camera key: uint8 [frames, height, width, 3]}`.
    fn history(&self, observation: &Observation) -> Result<Value, String> {
        let camera = self.layout.history_camera().map(|index| &self.layout.cameras[index]);
        let camera = camera.ok_or("the layout has no history camera")?;
        let key = camera.openpi.as_ref().and_then(|path| path.keys().last());
        let key = key.ok_or("the history camera has no key")?;
        let mut size = None;
        let mut pixels = Vec::new();
        for (_, frame) in &observation.history {
            let PastFrame::Image(frame) = frame else {
                return Err("a history frame that another policy has encoded".into());
            };
            let frame = camera.as_client_sends(frame);
            if *size.get_or_insert(frame.dimensions()) != frame.dimensions() {
                return Err("the history holds frames of different sizes".into());
            }
            pixels.extend_from_slice(frame.as_raw());
        }
        let (width, height) = size.ok_or("an empty history")?;
        let shape = vec![observation.history.len(), height as usize, width as usize, 3];
        let array = Array::from_u8(shape, pixels)?.write(Dialect::Openpi);
        Ok(Value::Map(vec![(Value::from(key.as_str()), array)]))
    }
}

/// A camera's image as its client sends it.
fn image(image: &RgbImage, camera: &CameraLayout) -> Result<Value, String> {
    let sent = camera.as_client_sends(image);
    let (width, height) = (sent.width() as usize, sent.height() as usize);
    let pixels = sent.into_raw();
    let array = match camera.axes {
        Axes::Hwc => Array::from_u8(vec![height, width, 3], pixels)?,
        Axes::Chw => {
            let planes = (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3));
            Array::from_u8(vec![3, height, width], planes.copied().collect())?
        }
    };
    Ok(array.write(Dialect::Openpi))
}

/// Puts a value under a key, or under keys of maps within maps.
fn put(entries: &mut Entries, path: &KeyPath, value: Value) {
    let mut entries = entries;
    let Some((last, outer)) = path.keys().split_last() else { return };
    for key in outer {
        let known = entries.iter().position(|(known, value)| {
            known.as_str() == Some(key) && matches!(value, Value::Map(_))
        });
        let at = known.unwrap_or_else(|| {
            entries.push((Value::from(key.as_str()), Value::Map(Vec::new())));
            entries.len() - 1
        });
        let Value::Map(inner) = &mut entries[at].1 else { return };
        entries = inner;
    }
    entries.push((Value::from(last.as_str()), value));
}
