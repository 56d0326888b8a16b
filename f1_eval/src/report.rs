//! Numbers of an evaluation: sums that add up over batches, and how they are written.

use std::collections::BTreeMap;

use f1_model::image_measures::ForesightErrors;
use serde::Serialize;

/// Error tolerances of the action accuracy, in normalised units (paper, figure 10).
pub const TAUS: [f64; 3] = [0.01, 0.02, 0.05];

/// A share: how many of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Accuracy {
    /// Right ones.
    pub right: f64,
    /// All of them.
    pub all: f64,
}

impl Accuracy {
    /// Counts one more.
    pub fn add(&mut self, right: bool) {
        self.right += f64::from(u8::from(right));
        self.all += 1.0;
    }

    /// Right ones over all; nothing when there are none.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.all > 0.0).then(|| self.right / self.all)
    }
}

/// Sums over the samples of one task, or of all.
#[derive(Debug, Clone, Default)]
pub struct Measures {
    /// Samples.
    pub samples: u64,
    /// Likeliest token against the true one, the true ones before it given; one a scale.
    pub forced: Vec<Accuracy>,
    /// The same on the model's own tokens; one a generated scale.
    pub own: Vec<Accuracy>,
    /// Steps whose whole action lies within each of [`TAUS`].
    pub action: [Accuracy; 3],
    /// Single dimensions within each of [`TAUS`].
    pub dimension: [Accuracy; 3],
    /// Sum of squared differences of actions, and how many.
    pub action_square: (f64, f64),
    /// Foreseen images against the true ones.
    pub foreseen: ForesightErrors,
    /// The newest frame in their place: what foresight must beat.
    pub repeated: ForesightErrors,
    /// True images passed through the tokenizer: what foresight can reach at best.
    pub tokenizer: ForesightErrors,
}

fn merge(into: &mut Vec<Accuracy>, from: &[Accuracy]) {
    into.resize(into.len().max(from.len()), Accuracy::default());
    for (into, from) in into.iter_mut().zip(from) {
        into.right += from.right;
        into.all += from.all;
    }
}

impl Measures {
    /// Adds another's sums.
    pub fn merge(&mut self, other: &Self) {
        self.samples += other.samples;
        merge(&mut self.forced, &other.forced);
        merge(&mut self.own, &other.own);
        for index in 0..TAUS.len() {
            self.action[index].right += other.action[index].right;
            self.action[index].all += other.action[index].all;
            self.dimension[index].right += other.dimension[index].right;
            self.dimension[index].all += other.dimension[index].all;
        }
        self.action_square.0 += other.action_square.0;
        self.action_square.1 += other.action_square.1;
        self.foreseen.merge(&other.foreseen);
        self.repeated.merge(&other.repeated);
        self.tokenizer.merge(&other.tokenizer);
    }

    /// Names and values, in the order of every table.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, f64)> {
        let whole = |scales: &[Accuracy]| {
            let mut sum = Accuracy::default();
            for scale in scales {
                sum.right += scale.right;
                sum.all += scale.all;
            }
            sum.share()
        };
        let mut rows = Vec::new();
        let mut push = |name: String, value: Option<f64>| {
            if let Some(value) = value {
                rows.push((name, value));
            }
        };
        for (name, scales) in [("token_accuracy", &self.forced), ("own_token_accuracy", &self.own)]
        {
            push(name.to_owned(), whole(scales));
            for (index, scale) in scales.iter().enumerate() {
                push(format!("{name}_scale_{}", index + 1), scale.share());
            }
        }
        for (index, tau) in TAUS.iter().enumerate() {
            push(format!("action_accuracy_{tau}"), self.action[index].share());
            push(format!("dimension_accuracy_{tau}"), self.dimension[index].share());
        }
        let mean = |(sum, count): (f64, f64)| (count > 0.0).then(|| sum / count);
        push("action_rmse".into(), mean(self.action_square).map(f64::sqrt));
        for (name, errors) in [
            ("", &self.foreseen),
            ("_newest_frame", &self.repeated),
            ("_tokenizer", &self.tokenizer),
        ] {
            push(format!("psnr{name}"), errors.psnr());
            push(format!("psnr_changed{name}"), errors.psnr_changed());
            push(format!("ssim{name}"), errors.ssim());
        }
        rows
    }
}

/// The foresight of one checkpoint beside the newest frame repeated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Foresight {
    /// Mean PSNR over the whole image, dB.
    pub psnr: f64,
    /// Mean PSNR with the newest frame in place of the foreseen image, dB.
    pub psnr_repeat: f64,
    /// PSNR over the pixels that changed, pooled over all samples, dB; none when nothing changed.
    pub psnr_changed: Option<f64>,
    /// `psnr_changed` with the newest frame in place of the foreseen image, dB.
    pub psnr_changed_repeat: Option<f64>,
    /// Mean SSIM; none for images smaller than its window.
    pub ssim: Option<f64>,
    /// Mean SSIM with the newest frame in place of the foreseen image.
    pub ssim_repeat: Option<f64>,
}

impl Foresight {
    fn of(measures: &Measures) -> Option<Self> {
        let Measures { foreseen, repeated, .. } = measures;
        Some(Self {
            psnr: foreseen.psnr()?,
            psnr_repeat: repeated.psnr()?,
            psnr_changed: foreseen.psnr_changed(),
            psnr_changed_repeat: repeated.psnr_changed(),
            ssim: foreseen.ssim(),
            ssim_repeat: repeated.ssim(),
        })
    }
}

/// An evaluation of one checkpoint.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Checkpoint folder.
    pub model: String,
    /// Data set folder.
    pub dataset: String,
    /// Samples measured.
    pub samples: u64,
    /// The foresight's main numbers; none for a model that does not foresee.
    pub foresight: Option<Foresight>,
    /// Values over all samples, by name.
    pub all: BTreeMap<String, f64>,
    /// Values by instruction.
    pub tasks: BTreeMap<String, BTreeMap<String, f64>>,
    /// The order of names in tables.
    #[serde(skip)]
    pub order: Vec<String>,
}

impl Report {
    /// A report from sums by instruction.
    #[must_use]
    pub fn new(model: String, dataset: String, tasks: &BTreeMap<String, Measures>) -> Self {
        let mut whole = Measures::default();
        tasks.values().for_each(|measures| whole.merge(measures));
        let rows = whole.rows();
        Self {
            model,
            dataset,
            samples: whole.samples,
            foresight: Foresight::of(&whole),
            order: rows.iter().map(|(name, _)| name.clone()).collect(),
            all: rows.into_iter().collect(),
            tasks: tasks
                .iter()
                .map(|(task, measures)| (task.clone(), measures.rows().into_iter().collect()))
                .collect(),
        }
    }

    /// A table for a terminal: all samples, then each task.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = format!("{} on {}: {} samples\n", self.model, self.dataset, self.samples);
        for name in &self.order {
            out.push_str(&format!("  {name:<32}{:>10.4}\n", self.all[name]));
        }
        let shown =
            ["token_accuracy", "own_token_accuracy", "action_accuracy_0.05", "action_rmse", "psnr"];
        out.push_str(&format!("  {:<40}", "task"));
        shown.iter().for_each(|name| out.push_str(&format!("{name:>22}")));
        out.push('\n');
        for (task, values) in &self.tasks {
            out.push_str(&format!("  {task:<40}"));
            for name in shown {
                match values.get(name) {
                    Some(value) => out.push_str(&format!("{value:>22.4}")),
                    None => out.push_str(&format!("{:>22}", "-")),
                }
            }
            out.push('\n');
        }
        out
    }

    /// Lines `model,task,name,value`; the task of all samples is empty.
    #[must_use]
    pub fn csv(&self, header: bool) -> String {
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut out = String::new();
        if header {
            out.push_str("model,task,name,value\n");
        }
        let whole = std::iter::once((String::new(), &self.all));
        for (task, values) in
            whole.chain(self.tasks.iter().map(|(task, values)| (task.clone(), values)))
        {
            for (name, value) in values {
                out.push_str(&format!("{},{},{name},{value}\n", quote(&self.model), quote(&task)));
            }
        }
        out
    }
}

/// Pearson's correlation of pairs; nothing for fewer than three or without spread.
#[must_use]
pub fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 3 {
        return None;
    }
    let count = pairs.len() as f64;
    let (mean_x, mean_y) = (
        pairs.iter().map(|p| p.0).sum::<f64>() / count,
        pairs.iter().map(|p| p.1).sum::<f64>() / count,
    );
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        xy += (x - mean_x) * (y - mean_y);
        xx += (x - mean_x).powi(2);
        yy += (y - mean_y).powi(2);
    }
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_of_lines_is_one() {
        let line = |slope: f64| {
            (0..5).map(|i| (f64::from(i), slope * f64::from(i) + 2.0)).collect::<Vec<_>>()
        };
        assert!((correlation(&line(3.0)).unwrap() - 1.0).abs() < 1e-12);
        assert!((correlation(&line(-0.5)).unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(correlation(&line(0.0)), None);
        assert_eq!(correlation(&line(1.0)[..2]), None);
    }

    #[test]
    fn sums_of_parts_are_those_of_the_whole() {
        let mut first = Measures { samples: 1, ..Measures::default() };
        first.forced = vec![Accuracy { right: 1.0, all: 1.0 }, Accuracy { right: 1.0, all: 4.0 }];
        let mut second = Measures { samples: 2, ..Measures::default() };
        second.forced = vec![Accuracy { right: 0.0, all: 1.0 }, Accuracy { right: 3.0, all: 4.0 }];
        let tasks = BTreeMap::from([("a".to_owned(), first), ("b".to_owned(), second)]);
        let report = Report::new("m".into(), "d".into(), &tasks);
        assert_eq!(report.samples, 3);
        assert_eq!(report.all["token_accuracy"], 0.5);
        assert_eq!(report.all["token_accuracy_scale_2"], 0.5);
        assert_eq!(report.tasks["b"]["token_accuracy"], 0.6);
        assert!(report.csv(true).contains("\"m\",\"b\",token_accuracy,0.6"));
    }
}
