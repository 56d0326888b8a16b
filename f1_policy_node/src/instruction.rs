//! Subscribing to the topic `instruction`, whatever durability its publisher has.
//!
//! A subscription that asks for what was published before it came (transient local) does not match
//! a publisher that keeps nothing, and `ros2 topic pub`, rqt and most programs make such publishers
//! by default. So there are two subscriptions: a volatile one matches every publisher, a transient
//! local one also gets what latched publishers sent before. Later messages of a latched publisher
//! come on both, in any order of the two; each is passed on once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_middleware::{Node, Subscription};
use parking_lot::Mutex;

use crate::topics::INSTRUCTION;

/// How long after one subscription a message can still come on the other.
const APART: Duration = Duration::from_secs(5);

/// The two subscriptions.
#[derive(Clone, Copy)]
enum Via {
    /// Matches every publisher.
    Volatile = 0,
    /// Matches latched publishers, and gets what they sent before.
    Latched = 1,
}

/// Recognises a message that comes on both subscriptions.
#[derive(Default)]
struct Duplicates {
    /// What came on one subscription and not yet on the other, with its time.
    unpaired: [VecDeque<(Duration, String)>; 2],
    /// The message that was passed on last.
    last: Option<String>,
}

impl Duplicates {
    /// Whether a message that came on `via` is to be passed on: the other subscription did not
    /// bring it before.
    fn is_new(&mut self, via: Via, text: &str, now: Duration) -> bool {
        for unpaired in &mut self.unpaired {
            while unpaired.front().is_some_and(|(at, _)| now.saturating_sub(*at) > APART) {
                unpaired.pop_front();
            }
        }
        let other = &mut self.unpaired[1 - via as usize];
        if let Some(index) = other.iter().position(|(_, sent)| sent == text) {
            // Each subscription keeps the order: what was before it will not come any more.
            other.drain(..=index);
            // The newest on both holds, also where one of them lost messages.
            if !other.is_empty() || self.last.as_deref() == Some(text) {
                return false;
            }
        } else {
            self.unpaired[via as usize].push_back((now, text.to_owned()));
        }
        self.last = Some(text.to_owned());
        true
    }
}

/// Subscribes; `callback` gets each message once, until both subscriptions are dropped.
///
/// # Errors
/// A network fault.
pub fn subscribe(
    node: &Node,
    callback: impl Fn(&StringMessage) + Send + Sync + 'static,
) -> f1_middleware::Result<[Subscription<StringMessage>; 2]> {
    let (duplicates, callback, clock) =
        (Arc::new(Mutex::new(Duplicates::default())), Arc::new(callback), node.clock());
    let subscribe = |via, qos| {
        let (duplicates, callback, clock) = (duplicates.clone(), callback.clone(), clock.clone());
        node.create_subscription::<StringMessage>(INSTRUCTION.name, qos, move |message, _| {
            if duplicates.lock().is_new(via, &message.data, clock.steady()) {
                callback(&message);
            }
        })
    };
    let latched = INSTRUCTION.latched.unwrap_or(INSTRUCTION.qos);
    Ok([subscribe(Via::Volatile, INSTRUCTION.qos)?, subscribe(Via::Latched, latched)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn what_comes_on_both_subscriptions_is_new_once_in_any_order() {
        for (first, second) in [(Via::Volatile, Via::Latched), (Via::Latched, Via::Volatile)] {
            let mut duplicates = Duplicates::default();
            let new = |via, text, list: &mut Duplicates| list.is_new(via, text, NOW);
            assert!(new(first, "a", &mut duplicates) && new(first, "b", &mut duplicates));
            assert!(!new(second, "a", &mut duplicates) && !new(second, "b", &mut duplicates));
            assert!(new(second, "a", &mut duplicates), "sent again");
            assert!(!new(first, "a", &mut duplicates));
        }
    }

    #[test]
    fn the_newest_holds_although_one_subscription_lost_what_was_before_it() {
        let mut duplicates = Duplicates::default();
        assert!(duplicates.is_new(Via::Volatile, "b", NOW));
        assert!(duplicates.is_new(Via::Latched, "a", NOW), "late, and not known as such");
        assert!(duplicates.is_new(Via::Latched, "b", NOW), "passed on again");
    }

    #[test]
    fn what_comes_on_one_subscription_alone_is_new_each_time() {
        let mut duplicates = Duplicates::default();
        assert!(duplicates.is_new(Via::Volatile, "a", NOW));
        assert!(duplicates.is_new(Via::Volatile, "a", NOW));
        // A latched publisher that comes with an older text is another message once the first is
        // long past.
        let later = NOW + APART + Duration::from_millis(1);
        assert!(duplicates.is_new(Via::Latched, "a", later));
    }
}
