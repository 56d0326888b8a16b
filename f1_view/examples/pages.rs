//! Opens pages that ask for updates as fast as they may, to measure what that costs the program
//! that serves them: `pages ADDRESS:PORT COUNT`, ended by Ctrl-C or with the program.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tungstenite::{Message, client, client::IntoClientRequest as _};

/// Updates and bytes that have come to all pages.
static UPDATES: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// One page, to the end of the program.
fn page(address: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let request = format!("ws://{address}/socket").into_client_request()?;
    let (mut page, _) = client(request, TcpStream::connect(address)?)?;
    loop {
        page.send(Message::text(r#"{"next": true}"#))?;
        loop {
            let message = page.read()?;
            BYTES.fetch_add(message.len() as u64, Ordering::Relaxed);
            if message.is_text() {
                break;
            }
        }
        UPDATES.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: pages ADDRESS:PORT COUNT")?;
    let count: usize = arguments.next().ok_or("usage: pages ADDRESS:PORT COUNT")?.parse()?;
    let pages: Vec<_> = (0..count)
        .map(|_| {
            let address = address.clone();
            std::thread::spawn(move || page(&address))
        })
        .collect();
    let begin = Instant::now();
    while pages.iter().any(|page| !page.is_finished()) {
        std::thread::sleep(Duration::from_secs(1));
        let (seconds, updates) = (begin.elapsed().as_secs_f64(), UPDATES.load(Ordering::Relaxed));
        let megabytes = BYTES.load(Ordering::Relaxed) as f64 * 1e-6;
        let pace = updates as f64 / seconds / count as f64;
        println!("{seconds:.0} s: {pace:.1} updates a second and page, {megabytes:.1} MB");
    }
    Ok(())
}
