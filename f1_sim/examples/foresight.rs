//! Measures a model's foresight on episodes of the scripted expert, independent of its actions.
//!
//! `cargo run --release -p f1_sim --example foresight -- ROBOT_FILE MODEL EPISODES [SEED]
//! [SHEET.png]`
//!
//! One table: foreseen images against the true ones, beside the newest frame repeated, the
//! tokenizer alone (the true image, encoded and decoded) and, for the detector, the true image
//! itself.

use std::path::Path;
use std::sync::Arc;

use f1_model::image_measures::ForesightErrors;
use f1_model::{F1Policy, HistoryFrame, LoadOptions, PolicyInput};
use f1_robot::Robot;
use f1_sim::demonstrations::LEAD_IN;
use f1_sim::detector::Objects;
use f1_sim::expert::{Disturbance, Expert, STEP};
use f1_sim::{Bench, BenchSettings, CameraId, Outcome, Split, Task, Visible};
use image::RgbImage;

/// Steps between two foresights.
const EVERY: usize = 3;

struct Frame {
    fixed: RgbImage,
    wrist: RgbImage,
    visible: Vec<Visible>,
    encoded: HistoryFrame,
    again: HistoryFrame,
}

#[derive(Default)]
struct Column {
    errors: ForesightErrors,
    objects: Objects,
}

impl Column {
    fn add(&mut self, image: &RgbImage, newest: &RgbImage, came: &Frame) {
        self.errors.add(image, newest, &came.fixed);
        self.objects.add(image, &came.visible);
    }
}

#[derive(Default)]
struct Tokens {
    right: Vec<u64>,
    again: Vec<u64>,
    all: Vec<u64>,
}

impl Tokens {
    fn add(&mut self, found: &[Vec<u32>], came: &Frame, scales: &[usize]) {
        let mut start = 0;
        for (scale, side) in scales.iter().enumerate() {
            let count = side * side;
            if self.all.len() <= scale {
                self.right.push(0);
                self.again.push(0);
                self.all.push(0);
            }
            let truth = &came.encoded.tokens()[start..start + count];
            let equal = |other: &[u32]| truth.iter().zip(other).filter(|(a, b)| a == b).count();
            self.all[scale] += count as u64;
            self.right[scale] += found.get(scale).map_or(0, |found| equal(found)) as u64;
            self.again[scale] += equal(&came.again.tokens()[start..start + count]) as u64;
            start += count;
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let robot = Arc::new(Robot::load(Path::new(&args[1]))?);
    let policy = F1Policy::load(Path::new(&args[2]), &LoadOptions::default())?;
    let episodes: u64 = args[3].parse()?;
    let first: u64 = args.get(4).map_or(Ok(2_000_000), |seed| seed.parse())?;
    let side = policy.network().foresight()?.config.frame_side() as u32;
    let mut sheet = Vec::new();
    println!(
        "{:<22}{:>7}{:>24}{:>24}{:>21}{:>31}{:>16}",
        "cell", "frames", "psnr", "changed", "ssim", "objects (true image)", "false"
    );
    for (task, split) in [
        (Task::Dynamic, Split::NewSpeeds),
        (Task::Dynamic, Split::NewPairs),
        (Task::Static, Split::NewSpeeds),
        (Task::Bin, Split::NewSpeeds),
    ] {
        let mut columns: [Column; 4] = Default::default();
        let mut tokens = Tokens::default();
        for seed in first..first + episodes {
            let mut settings = BenchSettings::new(task, split, seed);
            settings.image = [side; 2];
            settings.lead_in = LEAD_IN;
            let (frames, instruction) = play(&robot, &policy, settings)?;
            measure(&policy, &frames, &instruction, &mut columns, &mut tokens, &mut sheet)?;
        }
        report(&format!("{} {split:?}", task.name()), &columns, &tokens);
    }
    if let Some(path) = args.get(5) {
        write_sheet(&sheet, Path::new(path))?;
    }
    Ok(())
}

fn play(
    robot: &Arc<Robot>,
    policy: &F1Policy,
    settings: BenchSettings,
) -> Result<(Vec<Frame>, String), Box<dyn std::error::Error>> {
    let mut bench = Bench::new(robot.clone(), settings)?;
    let mut expert = Expert::new(&bench, Disturbance::NONE);
    let mut frames = Vec::new();
    while bench.outcome() == Outcome::Running {
        let fixed = bench.render(CameraId::Fixed);
        frames.push(Frame {
            encoded: policy.encode_frame(&fixed)?,
            again: policy.encode_frame(&bench.render_again(CameraId::Fixed, 1))?,
            fixed,
            wrist: bench.render(CameraId::Wrist),
            visible: bench.visible(CameraId::Fixed),
        });
        if bench.time() > -0.5 * STEP {
            expert.step(&mut bench)?;
        }
        bench.advance(STEP);
    }
    Ok((frames, bench.instruction()))
}

fn measure(
    policy: &F1Policy,
    frames: &[Frame],
    instruction: &str,
    columns: &mut [Column; 4],
    tokens: &mut Tokens,
    sheet: &mut Vec<[RgbImage; 4]>,
) -> Result<(), Box<dyn std::error::Error>> {
    let run = &policy.config().run;
    let (wanted, stride) = (run.history_frames, run.obs_img_stride);
    let tokenizer = &policy.network().foresight()?.tokenizer;
    let prompt = policy.encode_prompt(instruction)?;
    for now in ((wanted - 1) * stride..frames.len().saturating_sub(stride)).step_by(EVERY) {
        let (newest, came) = (&frames[now], &frames[now + stride]);
        let history = (0..wanted).rev().map(|back| frames[now - back * stride].encoded.clone());
        let cameras = [&newest.fixed, &newest.wrist].map(|image| policy.prepare_camera(image));
        let input = PolicyInput {
            cameras: cameras.into_iter().map(|c| c.map(Some)).collect::<Result<_, _>>()?,
            prompt: prompt.clone(),
            history: history.collect(),
        };
        let prefix = policy.perceive(&input, 0)?;
        let foreseen = policy.imagine(&prefix)?;
        tokens.add(prefix.tokens(), came, tokenizer.quantizer().scales());
        let alone = policy.reconstruct(&came.encoded)?;
        let of_columns = [&foreseen, &newest.fixed, &alone, &came.fixed];
        for (column, image) in columns.iter_mut().zip(of_columns) {
            column.add(image, &newest.fixed, came);
        }
        sheet.push([newest.fixed.clone(), foreseen, came.fixed.clone(), alone]);
    }
    Ok(())
}

fn report(cell: &str, columns: &[Column; 4], tokens: &Tokens) {
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let [foreseen, repeat, alone, truth] = columns;
    println!(
        "{cell:<22}{:>7}{:>8.2}{:>8.2}{:>8.2}{:>8.2}{:>8.2}{:>8.2}{:>7.3}{:>7.3}{:>7.3}{:>8.3}{:>7.3}{:>7.3} ({:.4}){:>8.3}{:>8.3}",
        foreseen.errors.images,
        number(foreseen.errors.psnr()),
        number(repeat.errors.psnr()),
        number(alone.errors.psnr()),
        number(foreseen.errors.psnr_changed()),
        number(repeat.errors.psnr_changed()),
        number(alone.errors.psnr_changed()),
        number(foreseen.errors.ssim()),
        number(repeat.errors.ssim()),
        number(alone.errors.ssim()),
        number(foreseen.objects.share()),
        number(repeat.objects.share()),
        number(alone.objects.share()),
        number(truth.objects.share()),
        number(foreseen.objects.false_per_image()),
        number(alone.objects.false_per_image()),
    );
    let share = |part: &[u64]| -> Vec<String> {
        part.iter()
            .zip(&tokens.all)
            .map(|(part, all)| format!("{:.3}", *part as f64 / (*all).max(1) as f64))
            .collect()
    };
    println!(
        "    tokens foreseen {}  the same with other noise {}",
        share(&tokens.right).join(" "),
        share(&tokens.again).join(" ")
    );
}

/// Newest, foreseen, came, tokenizer alone: a column a moment.
fn write_sheet(moments: &[[RgbImage; 4]], path: &Path) -> Result<(), image::ImageError> {
    let (columns, tile) = (12, 160);
    let mut sheet = RgbImage::new(columns * tile, 4 * tile);
    let every = (moments.len() / columns as usize).max(1);
    for (column, moment) in moments.iter().step_by(every).take(columns as usize).enumerate() {
        for (row, image) in moment.iter().enumerate() {
            let large = image::imageops::resize(
                image,
                tile - 4,
                tile - 4,
                image::imageops::FilterType::Nearest,
            );
            let (x, y) = (column as i64 * i64::from(tile), row as i64 * i64::from(tile));
            image::imageops::replace(&mut sheet, &large, x, y);
        }
    }
    sheet.save(path)
}
