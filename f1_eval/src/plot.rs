//! Scatter plots as SVG.

/// Points of one colour with a name in the legend.
#[derive(Debug, Clone)]
pub struct Series {
    /// Legend.
    pub name: String,
    /// Horizontal and vertical value.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
const MARGIN: f64 = 60.0;
const COLOURS: [&str; 6] = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"];

/// Draws series into one frame whose axes span all points.
#[must_use]
pub fn scatter(title: &str, horizontal: &str, vertical: &str, series: &[Series]) -> String {
    let all: Vec<(f64, f64)> =
        series.iter().flat_map(|series| series.points.iter().copied()).collect();
    let span = |values: Vec<f64>| -> (f64, f64) {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !low.is_finite() || !high.is_finite() {
            return (0.0, 1.0);
        }
        let margin = ((high - low) * 0.08).max(1e-3);
        (low - margin, high + margin)
    };
    let (left, right) = span(all.iter().map(|point| point.0).collect());
    let (bottom, top) = span(all.iter().map(|point| point.1).collect());
    let x = |value: f64| MARGIN + (value - left) / (right - left) * (WIDTH - 2.0 * MARGIN);
    let y =
        |value: f64| HEIGHT - MARGIN - (value - bottom) / (top - bottom) * (HEIGHT - 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{}\" y=\"24\" text-anchor=\"middle\" font-size=\"15\">{}</text>\n",
        WIDTH / 2.0,
        escape(title)
    );
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let (value_x, value_y) = (left + share * (right - left), bottom + share * (top - bottom));
        out.push_str(&format!(
            "<line x1=\"{0:.1}\" y1=\"{MARGIN}\" x2=\"{0:.1}\" y2=\"{1:.1}\" stroke=\"#ddd\"/>\n\
             <text x=\"{0:.1}\" y=\"{2:.1}\" text-anchor=\"middle\">{value_x:.3}</text>\n\
             <line x1=\"{MARGIN}\" y1=\"{3:.1}\" x2=\"{4:.1}\" y2=\"{3:.1}\" stroke=\"#ddd\"/>\n\
             <text x=\"{5:.1}\" y=\"{6:.1}\" text-anchor=\"end\">{value_y:.3}</text>\n",
            x(value_x),
            HEIGHT - MARGIN,
            HEIGHT - MARGIN + 16.0,
            y(value_y),
            WIDTH - MARGIN,
            MARGIN - 6.0,
            y(value_y) + 4.0
        ));
    }
    out.push_str(&format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n\
         <text x=\"16\" y=\"{}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {})\">{}</text>\n",
        WIDTH / 2.0,
        HEIGHT - 16.0,
        escape(horizontal),
        HEIGHT / 2.0,
        HEIGHT / 2.0,
        escape(vertical)
    ));
    for (index, series) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        for point in &series.points {
            out.push_str(&format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\" fill-opacity=\"0.8\"/>\n",
                x(point.0),
                y(point.1)
            ));
        }
        let row = 44.0 + 16.0 * index as f64;
        out.push_str(&format!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"4\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\">{}</text>\n",
            MARGIN + 10.0,
            row,
            MARGIN + 20.0,
            row + 4.0,
            escape(&series.name)
        ));
    }
    out.push_str("</svg>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_lies_inside_the_frame() {
        let points = vec![(0.1, 0.2), (0.9, 0.4), (0.5, 0.8)];
        let svg = scatter("a & b", "x", "y", &[Series { name: "s".into(), points }]);
        assert_eq!(svg.matches("fill-opacity").count(), 3);
        assert!(svg.contains("a &amp; b"));
        for part in svg.split("cx=\"").skip(1) {
            let value: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((0.0..=WIDTH).contains(&value));
        }
        // No points at all still make an image.
        assert!(scatter("t", "x", "y", &[]).ends_with("</svg>\n"));
    }
}
