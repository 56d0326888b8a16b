//! `wss://`: a certificate of the test's own.

use std::sync::Arc;
use std::time::Duration;

use f1_policy_node::foresight::ServerOptions;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::stand_in::{Setup, StandIn, act, chunk, connect, options};

#[test]
fn a_trusted_certificate_is_needed_and_enough() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let setup = Setup { tls: Some(Arc::new(config)), ..Setup::new(|_, _| chunk(1, &[0.01; 8])) };
    let server = StandIn::start(setup);
    let url = format!("wss://localhost:{}", server.address.port());
    let trusting = ServerOptions { authorities: Some(authority), ..options() };
    let resources = connect(&url, &trusting).unwrap();
    act(&resources, 0).unwrap();
    let short = ServerOptions { wait: Duration::from_millis(500), ..options() };
    let fault = connect(&url, &short).unwrap_err().to_string();
    assert!(fault.to_lowercase().contains("certificate"), "{fault}");
    // Nor does a server without encryption pass for one with it.
    let plain = StandIn::start(Setup::new(|_, _| chunk(1, &[0.01; 8])));
    let url = format!("wss://localhost:{}", plain.address.port());
    assert!(connect(&url, &short).is_err());
}
