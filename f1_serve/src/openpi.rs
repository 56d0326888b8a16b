//! The protocol of `openpi-client`: the server speaks first with its metadata; then each
//! observation is answered by a chunk of actions. An error is a text message with the reason, and
//! the connection closes with code 1011.

use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use rmpv::Value;

use crate::RequestError;
use crate::array::{Array, Dialect};
use crate::layout::Layout;
use crate::message;
use crate::observation::Observation;
use crate::server::{Connection, Served};

/// WebSocket's code for "internal error", which openpi's server closes with.
const INTERNAL_ERROR: u16 = 1011;
/// Bytes of a reason that fit into a close frame.
const CLOSE_REASON: usize = 120;

/// Keys that a request may add to its observation.
pub const EXTRA_KEYS: [&str; 6] = ["seed", "foresight", "reset", "history", "frozen", "stamp"];

/// What the server says first.
#[must_use]
pub fn metadata(served: &Served) -> Value {
    let layout = &served.layout;
    let (history, config) = (served.model.history(), served.model.policy().config());
    let keys =
        |keys: &mut dyn Iterator<Item = String>| Value::Array(keys.map(Value::from).collect());
    let path = |path: &Option<crate::layout::KeyPath>| {
        path.as_ref().map(|path| path.keys().join("/")).unwrap_or_default()
    };
    message::map([
        ("server", Value::from("f1_serve")),
        ("model", Value::from(served.model_name.as_str())),
        ("layout", Value::from(layout.name.as_str())),
        ("image_keys", keys(&mut layout.cameras.iter().map(|camera| path(&camera.openpi)))),
        ("state_keys", keys(&mut layout.state.iter().map(|part| path(&part.openpi)))),
        ("prompt_key", Value::from(path(&layout.prompt.openpi))),
        ("state_width", Value::from(layout.state_width() as u64)),
        ("action_width", Value::from(layout.action.width as u64)),
        ("action_horizon", Value::from(config.chunk_size as u64)),
        ("history_frames", Value::from(history.frames as u64)),
        ("history_stride", Value::from(history.stride as u64)),
        ("steps_between_requests", Value::from(layout.steps_between_requests as u64)),
        ("full_history", Value::from(served.settings.full_history)),
        ("needs_full_history", Value::from(config.run.full_history)),
        ("foresees", Value::from(served.model.foresees())),
        ("frame_side", Value::from(config.frame_side().unwrap_or(0) as u64)),
        ("crop_ratio", Value::from(config.run.crop_ratio)),
        ("extra_keys", keys(&mut EXTRA_KEYS.into_iter().map(str::to_owned))),
    ])
}

/// Serves one connection until it closes, is silent for too long, or breaks the protocol.
pub async fn serve(mut socket: WebSocket, served: std::sync::Arc<Served>) {
    let mut connection = Connection::new(&served, "openpi");
    let hello = message::write(&metadata(&served));
    if !served.send(&mut socket, Message::Binary(hello.into())).await {
        return;
    }
    let mut previous: Option<Duration> = None;
    while let Some(received) = served.receive(&mut socket).await {
        let bytes = match received {
            Message::Binary(bytes) => bytes,
            Message::Text(_) => {
                let reason = "a text message: observations are msgpack in binary messages";
                return refuse(&served, socket, &RequestError::Malformed(reason.into())).await;
            }
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return,
        };
        let begin = Instant::now();
        let answer = async {
            let map = message::read(&bytes)?;
            let observation = Observation::read(&map, &served.layout, Dialect::Openpi)?;
            connection.begin(&served, &observation, served.layout.steps_between_requests);
            let stamp = observation.extras.stamp;
            Ok((connection.infer(&served, observation).await?, stamp))
        };
        let (answered, stamp) = match answer.await {
            Ok(answered) => answered,
            // The history goes on filling: the client may ask again on the same connection.
            Err(error @ RequestError::History { .. }) => {
                if !served.send(&mut socket, Message::Text(error.to_string().into())).await {
                    return;
                }
                continue;
            }
            Err(error) => return refuse(&served, socket, &error).await,
        };
        let mut result = match actions(&answered.actions, &served.layout) {
            Ok(actions) => vec![(Value::from("actions"), actions)],
            Err(reason) => return refuse(&served, socket, &RequestError::Inference(reason)).await,
        };
        if let Some(image) = &answered.foreseen {
            let (width, height) = image.dimensions();
            let shape = vec![height as usize, width as usize, 3];
            if let Ok(image) = Array::from_u8(shape, image.as_raw().clone()) {
                result.push((Value::from("foresight/image"), image.write(Dialect::Openpi)));
            }
        }
        if let Some(psnr) = answered.psnr {
            result.push((Value::from("foresight/psnr"), Value::from(psnr)));
        }
        if let Some(stamp) = stamp {
            result.push((Value::from("stamp"), Value::from(stamp)));
        }
        let milliseconds = |time: Duration| Value::from(time.as_secs_f64() * 1e3);
        let infer = milliseconds(answered.infer);
        result.push(("policy_timing".into(), message::map([("infer_ms", infer)])));
        let mut timing = vec![(Value::from("infer_ms"), milliseconds(begin.elapsed()))];
        if let Some(previous) = previous {
            timing.push(("prev_total_ms".into(), milliseconds(previous)));
        }
        result.push(("server_timing".into(), Value::Map(timing)));
        let bytes = message::write(&Value::Map(result));
        if !served.send(&mut socket, Message::Binary(bytes.into())).await {
            return;
        }
        previous = Some(begin.elapsed());
    }
}

/// `[horizon, width]`, float32, in the client's units.
fn actions(rows: &[Vec<f64>], layout: &Layout) -> Result<Value, String> {
    let width = layout.action.width;
    let mut numbers = Vec::with_capacity(rows.len() * width);
    for row in rows {
        let mut row = row.clone();
        layout.action.to_client(&mut row);
        numbers.extend(row.iter().map(|value| *value as f32));
    }
    Ok(Array::from_f32(vec![rows.len(), width], &numbers)?.write(Dialect::Openpi))
}

async fn refuse(served: &Served, mut socket: WebSocket, error: &RequestError) {
    tracing::warn!("openpi: {error}");
    let text = error.to_string();
    let mut end = text.len().min(CLOSE_REASON);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let reason = text[..end].to_owned().into();
    // The client may have gone already.
    if served.send(&mut socket, Message::Text(text.into())).await {
        let frame = CloseFrame { code: INTERNAL_ERROR, reason };
        served.send(&mut socket, Message::Close(Some(frame))).await;
    }
}
