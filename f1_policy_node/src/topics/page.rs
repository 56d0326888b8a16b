//! The page docs/topics.md, written from the table.

use std::fmt::Write as _;

use f1_interfaces::Message;
use f1_middleware::Qos;
use f1_middleware::qos::{Durability, History, Reliability};

use super::calls::{
    EXECUTE_TASK, FOLLOW_JOINT_TRAJECTORY, GO_HOME, GRIPPER_COMMAND, PARALLEL_GRIPPER_COMMAND,
    RESET_ACTION, RESET_FILTER, SET_INSTRUCTION, STOP,
};
use super::{Direction, Topic, Visitor, visit};

/// A quality of service in words.
fn words(qos: &Qos) -> String {
    let mut words = String::from(match qos.reliability {
        Reliability::BestEffort => "best effort",
        Reliability::Reliable => "reliable",
    });
    if qos.durability == Durability::TransientLocal {
        words.push_str(", transient local");
    }
    match qos.history {
        // Writing to a String cannot fail.
        History::KeepLast(depth) => drop(write!(words, ", keep last {depth}")),
        History::KeepAll => words.push_str(", keep all"),
    }
    words
}

/// Writes the rows of topics.
#[derive(Default)]
struct Rows {
    rows: String,
}

impl Visitor for Rows {
    type Error = std::convert::Infallible;

    fn topic<T: Message>(
        &mut self,
        topic: &Topic<T>,
    ) -> std::result::Result<(), std::convert::Infallible> {
        let nodes: Vec<String> = topic.nodes.iter().map(|node| format!("`{node}`")).collect();
        let direction = match topic.direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        let mut qos = words(&topic.qos);
        if let Some(latched) = &topic.latched {
            qos = format!("{qos}; a second subscription: {}", words(latched));
        }
        if topic.best_effort_on_dds {
            qos.push_str("; best effort on `dds`");
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.rows,
            "| `{}` | `{}` | {direction} | {} | {qos} | {} |",
            topic.name,
            T::TYPE_NAME,
            nodes.join(", "),
            topic.text
        );
        Ok(())
    }
}

/// The page docs/topics.md.
#[must_use]
pub fn page() -> String {
    let mut rows = Rows::default();
    match visit(&mut rows) {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let services =
        [SET_INSTRUCTION.row(), RESET_ACTION.row(), STOP.row(), RESET_FILTER.row()].concat();
    let actions = [
        EXECUTE_TASK.row(),
        GO_HOME.row(),
        FOLLOW_JOINT_TRAJECTORY.row(),
        GRIPPER_COMMAND.row(),
        PARALLEL_GRIPPER_COMMAND.row(),
    ]
    .concat();
    format!(
        "# Topics, services and actions\n\n\
         Written by `f1_policy_node --print-topics`; a test keeps this page up to date. Names are\n\
         relative to the robot's namespace (`/f1` by default). A part in angle brackets is named in the\n\
         robot file or in a parameter.\n\n\
         ## Topics\n\n\
         | name | type | direction | node | quality of service | text |\n|---|---|---|---|---|---|\n{}\n\
         ## Services\n\n| name | type | node | text |\n|---|---|---|---|\n{services}\n\
         ## Actions\n\n| name | type | node | side | text |\n|---|---|---|---|---|\n{actions}\n\
         As every managed node, each of the four also has the services of its lifecycle\n\
         (`NODE/change_state`, ...) and of its parameters, and publishes on `/diagnostics`, `/rosout` and\n\
         `/parameter_events`.\n",
        rows.rows
    )
}
