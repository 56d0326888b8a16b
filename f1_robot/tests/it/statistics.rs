//! Statistics: the file, its checks, and the three normalisations.

use f1_robot::robot_file::Normalisation;
use f1_robot::statistics::{
    EPSILON, Normaliser, StatisticsError, StatisticsFile, VectorStatistics,
};

fn statistics() -> VectorStatistics {
    VectorStatistics {
        mean: vec![1.0, -2.0],
        std: vec![0.5, 4.0],
        min: vec![0.0, -10.0],
        max: vec![2.0, 10.0],
        q01: vec![0.5, -8.0],
        q99: vec![1.5, 8.0],
        count: vec![100],
        ignored: Vec::new(),
    }
}

fn normaliser(kind: Normalisation) -> Normaliser {
    Normaliser::new(&statistics(), kind, &[false, false], "x").unwrap()
}

#[test]
fn each_normalisation_follows_its_formula() {
    // (x - mean) / (std + e); (x - min) / (max - min + e); 2 (x - q01) / (q99 - q01 + e) - 1, not
    // clipped.
    for (kind, raw, normalised) in [
        (Normalisation::MeanStd, [2.0, 6.0], [1.0 / (0.5 + EPSILON), 8.0 / (4.0 + EPSILON)]),
        (Normalisation::MinMax, [1.0, 10.0], [1.0 / (2.0 + EPSILON), 20.0 / (20.0 + EPSILON)]),
        (
            Normalisation::Quantile,
            [1.0, 16.0],
            [2.0 * 0.5 / (1.0 + EPSILON) - 1.0, 2.0 * 24.0 / (16.0 + EPSILON) - 1.0],
        ),
        (Normalisation::None, [3.0, 4.0], [3.0, 4.0]),
    ] {
        let normaliser = normaliser(kind);
        let mut row = raw;
        normaliser.normalise(&mut row);
        for i in 0..2 {
            assert!((row[i] - normalised[i]).abs() < 1e-12, "{kind:?} {row:?}");
        }
        normaliser.denormalise(&mut row);
        for i in 0..2 {
            assert!((row[i] - raw[i]).abs() < 1e-12, "{kind:?} {row:?}");
        }
    }
}

#[test]
fn spreads_that_are_zero_tiny_or_not_finite_are_refused_by_dimension() {
    for bad in [0.0, 1e-9, f64::NAN, f64::INFINITY] {
        let mut statistics = statistics();
        statistics.std[1] = bad;
        let error = Normaliser::new(&statistics, Normalisation::MeanStd, &[false, false], "action")
            .unwrap_err();
        assert!(error.to_string().contains("action[1]"), "{error}");
        // A dimension without meaning does not matter, and comes out as 0 both ways.
        let padded =
            Normaliser::new(&statistics, Normalisation::MeanStd, &[false, true], "action").unwrap();
        let mut row = [2.0, 7.0];
        padded.normalise(&mut row);
        assert_eq!(row[1], 0.0);
        padded.denormalise(&mut row);
        assert_eq!(row[1], 0.0);
    }
    let mut equal = statistics();
    equal.max[0] = equal.min[0];
    assert!(Normaliser::new(&equal, Normalisation::MinMax, &[false, false], "x").is_err());
    let mut missing = statistics();
    missing.q01.clear();
    assert!(Normaliser::new(&missing, Normalisation::Quantile, &[false, false], "x").is_err());
    assert!(Normaliser::new(&statistics(), Normalisation::MeanStd, &[false; 3], "x").is_err());
}

#[test]
fn a_file_of_lerobots_names_is_read_and_written_back() {
    let text = r#"{"bench": {
        "observation.state": {"mean": [0.1], "std": [1.0], "min": [-1], "max": [1], "count": [7]},
        "action": {"mean": [0.1], "std": [1.0], "min": [-1.0], "max": [1.0], "q01": [-0.9], "q99": [0.9], "count": [7]},
        "observation.images.front": {"mean": [[[0.5]]], "std": [[[0.1]]]},
        "timestamp": {"mean": [3.0]}
    }}"#;
    let file = StatisticsFile::parse(text).unwrap();
    let entry = file.get("bench").unwrap();
    entry.check(1, 1).unwrap();
    assert_eq!((entry.state.q01.len(), entry.action.q99[0], entry.state.count[0]), (0, 0.9, 7));
    let again = StatisticsFile::parse(&serde_json::to_string(&file).unwrap()).unwrap();
    assert_eq!(file, again);
    // The short name is understood as well.
    assert!(StatisticsFile::parse(&text.replace("observation.state", "state")).is_ok());
}

#[test]
fn a_missing_entry_names_those_there_are() {
    let file = StatisticsFile::parse(
        r#"{"a": {"state": {"mean":[],"std":[],"min":[],"max":[]}, "action": {"mean":[],"std":[],"min":[],"max":[]}}}"#,
    );
    let error = file.unwrap().get("b").unwrap_err();
    assert_eq!(error, StatisticsError::NoEntry { name: "b".into(), known: "a".into() });
}

#[test]
fn the_check_lists_every_fault() {
    let mut entry =
        f1_robot::statistics::DatasetStatistics { state: statistics(), action: statistics() };
    entry.state.mean[0] = f64::NAN;
    entry.state.std[1] = -1.0;
    entry.action.min[0] = 3.0;
    entry.action.q99.pop();
    let StatisticsError::Numbers { faults } = entry.check(2, 2).unwrap_err() else {
        panic!("another error")
    };
    let all = faults.join("\n");
    for part in
        ["observation.state.mean[0]", "observation.state.std[1]", "action.min[0]", "action.q99"]
    {
        assert!(all.contains(part), "{part} is not in\n{all}");
    }
    assert_eq!(faults.len(), 4, "{all}");
}
