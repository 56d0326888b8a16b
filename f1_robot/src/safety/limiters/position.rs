//! Position: waypoints stay within the bounds and, toward a bound, out of its margin.

use super::super::{Bounds, Rule};

/// A waypoint moved to where it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamped {
    /// Where the waypoint goes, rad or m.
    pub position: f64,
    /// The rule and the limit that moved it; `None`: it stays.
    pub broken: Option<(Rule, f64)>,
}

/// Clamps a waypoint. `start` is where the joint is; a joint that is inside the margin of width
/// `margin` (rad or m) may stay and move away, not further in. A joint outside its bounds is moved
/// inside.
pub fn clamp(asked: f64, start: f64, bounds: &Bounds, margin: f64) -> Clamped {
    let width = margin.min((bounds.upper - bounds.lower) / 2.0).max(0.0);
    let within = start.clamp(bounds.lower, bounds.upper);
    let greatest = (bounds.upper - width).max(within);
    let least = (bounds.lower + width).min(within);
    if asked > greatest {
        let rule = if asked > bounds.upper { Rule::Position } else { Rule::Margin };
        Clamped { position: greatest, broken: Some((rule, greatest)) }
    } else if asked < least {
        let rule = if asked < bounds.lower { Rule::Position } else { Rule::Margin };
        Clamped { position: least, broken: Some((rule, least)) }
    } else {
        Clamped { position: asked, broken: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waypoints_go_to_the_nearest_allowed_position() {
        let bounds =
            Bounds { lower: -1.0, upper: 2.0, velocity: 1.0, acceleration: 1.0, jerk: 1.0 };
        // asked, start, margin, expected, rule
        for (asked, start, margin, expected, rule) in [
            (0.5, 0.0, 0.0, 0.5, None),
            (2.0, 0.0, 0.0, 2.0, None),
            (2.1, 0.0, 0.0, 2.0, Some(Rule::Position)),
            (-9.0, 0.0, 0.0, -1.0, Some(Rule::Position)),
            (1.95, 0.0, 0.1, 1.9, Some(Rule::Margin)),
            (-0.95, 0.0, 0.1, -0.9, Some(Rule::Margin)),
            // In the margin already: stay, move away, not further in.
            (1.95, 1.95, 0.1, 1.95, None),
            (1.92, 1.95, 0.1, 1.92, None),
            (1.97, 1.95, 0.1, 1.95, Some(Rule::Margin)),
            // Outside already: moved to the bound, whatever is asked.
            (2.5, 2.4, 0.1, 2.0, Some(Rule::Position)),
            (2.3, 2.4, 0.0, 2.0, Some(Rule::Position)),
            (-1.2, -3.0, 0.0, -1.0, Some(Rule::Position)),
            // A margin wider than the range leaves the middle.
            (2.0, 0.5, 9.0, 0.5, Some(Rule::Margin)),
        ] {
            let got = clamp(asked, start, &bounds, margin);
            assert!((got.position - expected).abs() < 1e-12, "{asked} from {start}: {got:?}");
            assert_eq!(got.broken.map(|(rule, _)| rule), rule, "{asked} from {start}");
        }
    }
}
