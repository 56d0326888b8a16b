//! What a layout expects beside what the checkpoint was trained on, for people.

use std::fmt::Write as _;

use crate::layout::{Axes, KeyPath, Layout, Mirror, Rotation};
use crate::model::Model;

/// A page of text: keys of both protocols, units, and the checkpoint's sizes.
#[must_use]
pub fn explain(layout: &Layout, model: &Model) -> String {
    let config = model.policy().config();
    let mut text = String::new();
    // Writing to a String does not fail.
    let mut line = |what: &str, value: String| {
        let _ = writeln!(text, "{what:<26}{value}");
    };
    line("layout", format!("{} ({})", layout.name, layout.description));
    for camera in &layout.cameras {
        let mut notes = Vec::new();
        if camera.axes == Axes::Chw {
            notes.push("channels first".to_owned());
        }
        match camera.rotate {
            Rotation::None => {}
            Rotation::Quarter => notes.push("turned by 90 degrees clockwise".into()),
            Rotation::Half => notes.push("turned by 180 degrees".into()),
            Rotation::ThreeQuarters => notes.push("turned by 270 degrees clockwise".into()),
        }
        match camera.mirror {
            Mirror::None => {}
            Mirror::Horizontal => notes.push("mirrored left and right".into()),
            Mirror::Vertical => notes.push("mirrored top and bottom".into()),
        }
        if camera.history {
            notes.push("history".into());
        }
        if camera.optional {
            notes.push("may be absent".into());
        }
        line(&format!("camera {}", camera.name), keys(&camera.openpi, &camera.vla_eval, &notes));
    }
    for (index, part) in layout.state.iter().enumerate() {
        let notes = [format!("{} numbers", part.size)];
        line(&format!("state[{index}]"), keys(&part.openpi, &part.vla_eval, &notes));
    }
    line("instruction", keys(&layout.prompt.openpi, &layout.prompt.vla_eval, &[]));
    let history = model.history();
    line(
        "state",
        format!("{} numbers; the network takes {}", layout.state_width(), config.max_state_dim),
    );
    line(
        "actions",
        format!(
            "{} of {} numbers; the network gives {} of {}",
            config.chunk_size, layout.action.width, config.chunk_size, config.max_action_dim
        ),
    );
    line(
        "statistics",
        format!(
            "entry {:?}, state {:?}, actions {:?}",
            layout.statistics.name, layout.statistics.state, layout.statistics.action
        ),
    );
    let [width, height] = config.image_fit;
    line("camera images", format!("any size; fitted into {width}x{height}"));
    if model.foresees() {
        let rate = config.run.dataset_rate_hz;
        line(
            "history",
            format!(
                "{} frames, {} steps apart{}; {} steps pass between two openpi requests",
                history.frames,
                history.stride,
                rate.map_or_else(String::new, |rate| format!(" (steps of {} ms)", 1e3 / rate)),
                layout.steps_between_requests
            ),
        );
        let whole = if config.run.full_history { "whole ones only" } else { "short ones too" };
        line("histories in training", whole.into());
    } else {
        line("history", "none: the network does not foresee".into());
    }
    line("instruction's length", format!("at most {} tokens", config.prompt_length));
    text
}

fn keys(openpi: &Option<KeyPath>, vla_eval: &Option<KeyPath>, notes: &[String]) -> String {
    let name = |path: &Option<KeyPath>| {
        path.as_ref().map_or_else(|| "not sent".to_owned(), ToString::to_string)
    };
    let notes: String = notes.iter().map(|note| format!(", {note}")).collect();
    format!("openpi {}, vla-eval {}{notes}", name(openpi), name(vla_eval))
}
