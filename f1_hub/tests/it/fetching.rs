//! What is fetched, and where it lies.

use std::fs;

use f1_hub::HubError;
use f1_tests::hub::{COMMIT, TOKEN, git_name, sha256};

use crate::support::{NAME, Person, Place, model};

#[test]
fn a_model_lies_in_the_hubs_own_layout() {
    let place = Place::new(model());
    let mut person = Person::default();
    let fetched = place.fetch(&[], &mut person).unwrap();
    let repository = place.cache.path().join("models--InternRobotics--F1-VLA");
    assert_eq!(fetched.folder, repository.join("snapshots").join(COMMIT));
    assert_eq!(fs::read_to_string(repository.join("refs/main")).unwrap(), COMMIT);
    for (path, contents) in model().files {
        let blob =
            if path == "model.safetensors" { sha256(&contents) } else { git_name(&contents) };
        assert!(fs::read(repository.join("blobs").join(&blob)).unwrap() == contents, "{path}");
        let link = fs::read_link(fetched.folder.join(&path)).unwrap();
        assert!(link.to_str().unwrap().ends_with(&format!("blobs/{blob}")), "{path}");
        assert!(fs::read(fetched.folder.join(&path)).unwrap() == contents, "{path}");
    }
    let total = model().files.iter().map(|(_, contents)| contents.len() as u64).sum::<u64>();
    assert_eq!(person.total, total);
    assert_eq!((person.at.first(), person.at.last()), (Some(&0), Some(&total)));
    assert!(person.at.is_sorted());
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let place = Place::new(model());
    place.fetch(&["*.json"], &mut Person::default()).unwrap();
    let before = place.hub.downloads().len();
    assert_eq!(before, 2, "a star takes folders too");
    let mut person = Person::default();
    let fetched = place.fetch(&["*.json", "*.safetensors"], &mut person).unwrap();
    let new = &place.hub.downloads()[before..];
    assert_eq!(new.len(), 1);
    assert!(new[0].path.ends_with("model.safetensors"));
    assert!(!fetched.folder.join("README.md").exists());
    // What was there is counted from the beginning.
    assert_eq!(person.at[0], 20);
}

#[test]
fn the_licence_is_accepted_once_and_again_when_it_changes() {
    let place = Place::new(model());
    let mut refusing = Person { refuses: true, ..Person::default() };
    let error = place.fetch(&["config.json"], &mut refusing).unwrap_err().to_string();
    assert!(error.contains("cc-by-nc-sa-4.0") && error.contains("--accept-licence"), "{error}");
    assert!(place.hub.downloads().is_empty(), "nothing comes before the licence is accepted");
    let mut person = Person::default();
    place.fetch(&["config.json"], &mut person).unwrap();
    assert_eq!(person.asked[0].name, "cc-by-nc-sa-4.0");
    assert_eq!(person.asked[0].page, format!("{}/{NAME}", place.hub.endpoint));
    place.fetch(&["config.json"], &mut refusing).unwrap();
    place.hub.behave(|behaviour| behaviour.licence = Some("other".into()));
    assert!(matches!(place.fetch(&[], &mut refusing), Err(HubError::Licence { .. })));
}

#[test]
fn the_token_goes_to_the_hub_and_not_to_its_storage() {
    let place = Place::new(model());
    place.hub.behave(|behaviour| behaviour.closed = Some(401));
    let settings = f1_hub::Settings { token: Some(TOKEN.into()), ..place.settings() };
    place.fetch_with(settings, &["config.json"], &mut Person::default()).unwrap();
    for request in place.hub.requests() {
        let sent = request.headers.contains_key("authorization");
        assert_eq!(sent, !request.storage, "{request:?}");
    }
}

#[test]
fn without_the_network_the_cache_is_enough() {
    let place = Place::new(model());
    let offline = || f1_hub::Settings { offline: true, ..place.settings() };
    let error = place.fetch_with(offline(), &[], &mut Person::default()).unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }), "{error}");
    assert!(place.hub.requests().is_empty());
    let online = place.fetch(&["config.json"], &mut Person::default()).unwrap();
    let before = place.hub.requests().len();
    let found = place.fetch_with(offline(), &["*.json"], &mut Person::default()).unwrap();
    assert_eq!(found, online);
    assert!(place.fetch_with(offline(), &["*.safetensors"], &mut Person::default()).is_err());
    assert_eq!(place.hub.requests().len(), before);
}

#[test]
fn a_hub_that_cannot_be_reached_is_said_and_the_cache_is_taken() {
    let place = Place::new(model());
    let online = place.fetch(&["config.json"], &mut Person::default()).unwrap();
    // Nothing listens on the port of a listener that was dropped.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone =
        || f1_hub::Settings { endpoint: format!("http://127.0.0.1:{port}"), ..place.settings() };
    let mut person = Person::default();
    assert_eq!(place.fetch_with(gone(), &["config.json"], &mut person).unwrap(), online);
    assert!(person.said[0].contains("cannot be reached"), "{:?}", person.said);
    let error = place.fetch_with(gone(), &["model.safetensors"], &mut person).unwrap_err();
    assert!(matches!(error, HubError::Connection { .. }), "{error}");
}
