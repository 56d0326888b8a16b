//! Connections that break, files that are not what they should be, and refusals.

use std::fs;

use f1_hub::HubError;
use f1_tests::hub::sha256;
use serde_json::json;

use crate::support::{Person, Place, model, weights};

#[test]
fn a_cut_connection_goes_on_where_it_ended() {
    let place = Place::new(model());
    place.hub.behave(|behaviour| behaviour.cuts = (1_300_000, 2));
    let mut person = Person::default();
    let fetched = place.fetch(&["*.safetensors"], &mut person).unwrap();
    assert!(fs::read(fetched.folder.join("model.safetensors")).unwrap() == weights());
    let ranges: Vec<Option<String>> =
        place.hub.downloads().iter().map(|request| request.headers.get("range").cloned()).collect();
    let ranges: Vec<Option<&str>> = ranges.iter().map(Option::as_deref).collect();
    assert_eq!(ranges, [None, Some("bytes=1300000-"), Some("bytes=2600000-")]);
    assert!(person.at.is_sorted(), "nothing is fetched twice: {:?}", person.at);
}

#[test]
fn what_an_earlier_run_left_is_used_and_its_checksum_counts() {
    let place = Place::new(model());
    // More cuts than attempts without a byte: the first command fails.
    place.hub.behave(|behaviour| behaviour.cuts = (0, 100));
    let error = place.fetch(&["*.safetensors"], &mut Person::default()).unwrap_err();
    assert!(matches!(error, HubError::Connection { .. }), "{error}");
    assert_eq!(place.hub.downloads().len(), 3);
    let blobs = place.cache.path().join("models--InternRobotics--F1-VLA/blobs");
    let left = blobs.join(format!("{}.incomplete", sha256(&weights())));
    fs::write(&left, &weights()[..2_000_000]).unwrap();
    place.hub.behave(|behaviour| behaviour.cuts = (0, 0));
    place.fetch(&["*.safetensors"], &mut Person::default()).unwrap();
    assert_eq!(place.hub.downloads()[3].headers["range"], "bytes=2000000-");
    assert!(!left.exists());

    // A part that is not the file's: the checksum tells, and the part goes.
    let place = Place::new(model());
    let blobs = place.cache.path().join("models--InternRobotics--F1-VLA/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(left.file_name().unwrap()), [7; 1000]).unwrap();
    let error = place.fetch(&["*.safetensors"], &mut Person::default()).unwrap_err();
    assert!(matches!(error, HubError::Checksum { .. }), "{error}");
    place.fetch(&["*.safetensors"], &mut Person::default()).unwrap();
}

#[test]
fn a_server_without_ranges_sends_the_whole_file_again() {
    let place = Place::new(model());
    place.hub.behave(|behaviour| {
        behaviour.cuts = (1_000_000, 1);
        behaviour.without_ranges = true;
    });
    let fetched = place.fetch(&["*.safetensors"], &mut Person::default()).unwrap();
    assert!(fs::read(fetched.folder.join("model.safetensors")).unwrap() == weights());
}

#[test]
fn a_wrong_checksum_leaves_no_file() {
    let place = Place::new(model());
    for path in ["model.safetensors", "config.json"] {
        place.hub.behave(|behaviour| behaviour.corrupted = 1);
        let error = place.fetch(&[path], &mut Person::default()).unwrap_err();
        let HubError::Checksum { file, expected, found } = &error else { panic!("{error}") };
        assert_eq!(file, path);
        assert_ne!(expected, found);
        let repository = place.cache.path().join("models--InternRobotics--F1-VLA");
        let blobs = fs::read_dir(repository.join("blobs")).unwrap();
        assert_eq!(blobs.count(), 0, "{path}");
        assert!(!repository.join("snapshots").exists(), "{path}");
    }
    place.fetch(&["*.json", "*.safetensors"], &mut Person::default()).unwrap();
}

#[test]
fn a_busy_server_is_asked_again() {
    let place = Place::new(model());
    place.hub.behave(|behaviour| behaviour.busy = 2);
    place.fetch(&["config.json"], &mut Person::default()).unwrap();
}

#[test]
fn refusals_say_what_to_do() {
    let place = Place::new(model());
    place.hub.behave(|behaviour| behaviour.closed = Some(401));
    let error = place.fetch(&[], &mut Person::default()).unwrap_err().to_string();
    for part in ["401", "Access to it is restricted", "HF_TOKEN", "/InternRobotics/F1-VLA"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    place.hub.behave(|behaviour| behaviour.closed = Some(403));
    assert!(matches!(
        place.fetch(&[], &mut Person::default()),
        Err(HubError::Refused { status: 403, .. })
    ));
    place.hub.behave(|behaviour| {
        behaviour.closed = None;
        behaviour.repository = "Somebody/else".into();
    });
    let error = place.fetch(&[], &mut Person::default()).unwrap_err();
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
    assert_eq!(fs::read_dir(place.cache.path()).unwrap().count(), 0);
}

#[test]
fn patterns_without_a_file_name_what_there_is() {
    let place = Place::new(model());
    let error = place.fetch(&["*.bin"], &mut Person::default()).unwrap_err().to_string();
    assert!(error.contains("*.bin") && error.contains("model.safetensors"), "{error}");
}

#[test]
fn more_than_the_disk_holds_is_refused_before_a_byte_comes() {
    let place = Place::new(model());
    place.hub.behave(|behaviour| {
        behaviour.more_entries = vec![json!({
            "type": "file", "path": "huge.safetensors", "oid": "0".repeat(40), "size": 134,
            "lfs": {"oid": "0".repeat(64), "size": 1u64 << 60},
        })];
    });
    let error = place.fetch(&[], &mut Person::default()).unwrap_err();
    assert!(matches!(&error, HubError::Space { .. }), "{error}");
    assert!(place.hub.downloads().is_empty());
}

#[test]
fn names_that_point_outside_the_cache_are_refused() {
    for (path, oid) in [
        ("../../outside", "0".repeat(40)),
        ("/etc/passwd", "0".repeat(40)),
        ("a/../../../outside", "0".repeat(40)),
        ("fine.json", format!("../../../{}", "0".repeat(31))),
        ("fine.json", String::new()),
    ] {
        let place = Place::new(model());
        place.hub.behave(|behaviour| {
            behaviour.more_entries =
                vec![json!({"type": "file", "path": path, "oid": oid, "size": 2})];
        });
        let error = place.fetch(&[], &mut Person::default()).unwrap_err();
        assert!(matches!(error, HubError::Hostile { .. }), "{path} {oid}: {error}");
        assert!(place.hub.downloads().is_empty());
        assert_eq!(fs::read_dir(place.cache.path()).unwrap().count(), 0);
    }
}
