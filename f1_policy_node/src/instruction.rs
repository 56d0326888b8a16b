//! The topic `instruction`, heard from whoever publishes it.
//!
//! A subscription that asks for what was published before it came (transient local) does not match
//! a publisher that keeps nothing, and that is what `ros2 topic pub`, rqt and most programs make by
//! default. So there are two: one hears everybody, the other brings what a latched publisher said
//! before. A latched publisher's later messages come on both, in any order of the two; each is told
//! once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_middleware::{Node, Qos, Subscription};
use parking_lot::Mutex;

/// How long after one subscription a message can still come on the other.
const APART: Duration = Duration::from_secs(5);

/// The two subscriptions.
#[derive(Clone, Copy)]
enum Way {
    /// Hears everybody from now on.
    Live = 0,
    /// Hears latched publishers, what they said before included.
    Latched = 1,
}

/// What came on one way and not yet on the other.
#[derive(Default)]
struct Twice {
    alone: [VecDeque<(Duration, String)>; 2],
    told: Option<String>,
}

impl Twice {
    /// Whether a message that came on `way` is to be told, and not one that the other way brought
    /// before.
    fn is_new(&mut self, way: Way, text: &str, now: Duration) -> bool {
        for alone in &mut self.alone {
            while alone.front().is_some_and(|(at, _)| now.saturating_sub(*at) > APART) {
                alone.pop_front();
            }
        }
        let other = &mut self.alone[1 - way as usize];
        if let Some(index) = other.iter().position(|(_, told)| told == text) {
            // Each way keeps the order: what was before it will not come any more.
            other.drain(..=index);
            // The newest on both ways, whatever one of them lost, is what holds.
            if !other.is_empty() || self.told.as_deref() == Some(text) {
                return false;
            }
        } else {
            self.alone[way as usize].push_back((now, text.to_owned()));
        }
        self.told = Some(text.to_owned());
        true
    }
}

/// Subscribes; `told` gets each message once, until both subscriptions are dropped.
///
/// # Errors
/// A network fault.
pub fn subscribe(
    node: &Node,
    told: impl Fn(&StringMessage) + Send + Sync + 'static,
) -> f1_middleware::Result<[Subscription<StringMessage>; 2]> {
    let (twice, told, clock) =
        (Arc::new(Mutex::new(Twice::default())), Arc::new(told), node.clock());
    let subscribe = |way, qos| {
        let (twice, told, clock) = (twice.clone(), told.clone(), clock.clone());
        node.create_subscription::<StringMessage>("instruction", qos, move |message, _| {
            if twice.lock().is_new(way, &message.data, clock.steady()) {
                told(&message);
            }
        })
    };
    Ok([subscribe(Way::Live, Qos::reliable())?, subscribe(Way::Latched, Qos::latched())?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn what_comes_on_both_ways_is_told_once_in_any_order() {
        for (first, second) in [(Way::Live, Way::Latched), (Way::Latched, Way::Live)] {
            let mut twice = Twice::default();
            let told = |way, text, twice: &mut Twice| twice.is_new(way, text, NOW);
            assert!(told(first, "a", &mut twice) && told(first, "b", &mut twice));
            assert!(!told(second, "a", &mut twice) && !told(second, "b", &mut twice));
            assert!(told(second, "a", &mut twice), "said again");
            assert!(!told(first, "a", &mut twice));
        }
    }

    #[test]
    fn the_newest_holds_though_one_way_lost_what_was_before_it() {
        let mut twice = Twice::default();
        assert!(twice.is_new(Way::Live, "b", NOW));
        assert!(twice.is_new(Way::Latched, "a", NOW), "late, and not known as such");
        assert!(twice.is_new(Way::Latched, "b", NOW), "told again");
    }

    #[test]
    fn what_comes_on_one_way_alone_is_told_each_time() {
        let mut twice = Twice::default();
        assert!(twice.is_new(Way::Live, "a", NOW) && twice.is_new(Way::Live, "a", NOW));
        // A latched publisher that comes with an older text is another message once the first is
        // long past.
        assert!(twice.is_new(Way::Latched, "a", NOW + APART + Duration::from_millis(1)));
    }
}
