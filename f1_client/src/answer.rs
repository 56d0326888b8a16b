//! A server's answer: a chunk of actions, its own time, and what our server adds.

use std::time::Duration;

use f1_serve::array::{Array, Dialect};
use f1_serve::layout::Layout;
use f1_serve::message;
use image::RgbImage;
use rmpv::Value;

/// Most actions of a chunk.
const MAX_ROWS: usize = 4096;

/// What came for one observation.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// `[horizon][width]`, in the data set's units.
    pub actions: Vec<Vec<f64>>,
    /// The time that the server says it took; zero where it says nothing.
    pub server: Duration,
    /// The foreseen image.
    pub foreseen: Option<RgbImage>,
    /// The stamp of the observation, repeated.
    pub stamp: Option<i64>,
}

impl Answer {
    /// Reads an answer in the units of a layout.
    ///
    /// # Errors
    /// What is malformed about it, in a sentence.
    pub fn read(bytes: &[u8], layout: &Layout) -> Result<Self, String> {
        let map = message::read(bytes).map_err(|error| error.to_string())?;
        let actions = actions(&map, layout)?;
        let foreseen = match message::get(&map, "foresight/image") {
            None | Some(Value::Nil) => None,
            Some(value) => match Array::read(value, Dialect::Openpi) {
                Ok(Some(array)) => Some(array.to_image()),
                Ok(None) => Some(Err("no array".into())),
                Err(reason) => Some(Err(reason)),
            },
        };
        let foreseen =
            foreseen.transpose().map_err(|reason| format!("foresight/image: {reason}"))?;
        let stamp = message::get(&map, "stamp").and_then(Value::as_i64);
        Ok(Self { actions, server: server_time(&map), foreseen, stamp })
    }
}

fn actions(map: &[(Value, Value)], layout: &Layout) -> Result<Vec<Vec<f64>>, String> {
    let Some(value) = message::get(map, "actions") else {
        let keys = message::keys(map).join(", ");
        return Err(format!("no key \"actions\" (its keys: {keys})"));
    };
    let array = match Array::read(value, Dialect::Openpi) {
        Ok(Some(array)) => array,
        Ok(None) => return Err(format!("actions: {}, not an array", message::kind(value))),
        Err(reason) => return Err(format!("actions: {reason}")),
    };
    let width = layout.action.width;
    let rows = match *array.shape() {
        [columns] if columns == width => 1,
        [rows, columns] if columns == width && (1..=MAX_ROWS).contains(&rows) => rows,
        ref shape => {
            return Err(format!(
                "actions have shape {shape:?}; the layout {} has {width} numbers an action",
                layout.name
            ));
        }
    };
    let numbers = array.to_f64();
    if let Some(at) = numbers.iter().position(|value| !value.is_finite()) {
        return Err(format!("actions: number {} of row {} is not finite", at % width, at / width));
    }
    let mut actions: Vec<Vec<f64>> = numbers.chunks_exact(width).map(<[f64]>::to_vec).collect();
    debug_assert_eq!(actions.len(), rows);
    for row in &mut actions {
        layout.action.to_data_set(row);
    }
    Ok(actions)
}

/// `server_timing.infer_ms`; of a server without it `policy_timing.infer_ms`.
fn server_time(map: &[(Value, Value)]) -> Duration {
    let read = |name: &str| match message::get(map, name) {
        Some(Value::Map(timing)) => message::get(timing, "infer_ms").and_then(number),
        _ => None,
    };
    let milliseconds = read("server_timing").or_else(|| read("policy_timing")).unwrap_or(0.0);
    Duration::try_from_secs_f64(milliseconds * 1e-3).unwrap_or_default()
}

fn number(value: &Value) -> Option<f64> {
    let array = Array::read(value, Dialect::Openpi).ok()??;
    array.to_f64().first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::parse(include_str!("../../config/layouts/bench.yaml"), "bench").unwrap()
    }

    fn with_actions(actions: Value, more: Vec<(Value, Value)>) -> Vec<u8> {
        let mut map = vec![(Value::from("actions"), actions)];
        map.extend(more);
        message::write(&Value::Map(map))
    }

    fn rows(shape: Vec<usize>, value: f32) -> Value {
        let count = shape.iter().product();
        Array::from_f32(shape, &vec![value; count]).unwrap().write(Dialect::Openpi)
    }

    #[test]
    fn a_chunk_is_read_in_the_data_sets_units() {
        let mut layout = layout();
        layout.action.scale = Some(f1_serve::layout::Factors::All(2.0));
        let timing = message::map([("infer_ms", Value::from(12.5))]);
        let bytes = with_actions(
            rows(vec![3, 8], 0.5),
            vec![("server_timing".into(), timing), ("stamp".into(), 7.into())],
        );
        let answer = Answer::read(&bytes, &layout).unwrap();
        assert_eq!(answer.actions, vec![vec![0.25; 8]; 3]);
        assert_eq!((answer.server, answer.stamp), (Duration::from_micros(12_500), Some(7)));
        let one = Answer::read(&with_actions(rows(vec![8], 1.0), vec![]), &layout).unwrap();
        assert_eq!(one.actions.len(), 1);
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_said() {
        let read = |bytes: &[u8]| Answer::read(bytes, &layout()).unwrap_err();
        for (actions, part) in [
            (rows(vec![3, 7], 0.0), "[3, 7]"),
            (rows(vec![0, 8], 0.0), "[0, 8]"),
            (rows(vec![2, 8], f32::NAN), "not finite"),
            (Value::from("none"), "not an array"),
        ] {
            let fault = read(&with_actions(actions, vec![]));
            assert!(fault.contains(part), "{part}: {fault}");
        }
        assert!(read(&message::write(&message::map([("action", 1.into())]))).contains("action"));
        assert!(read(b"\x00").contains("map"));
        let image = Value::from(3);
        let fault =
            read(&with_actions(rows(vec![1, 8], 0.0), vec![("foresight/image".into(), image)]));
        assert!(fault.contains("foresight/image"), "{fault}");
    }
}
