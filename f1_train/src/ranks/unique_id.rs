//! The 128 bytes by which NCCL's ranks find each other: rank 0 makes them, every rank needs them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};

use super::{Launch, Ranks};
use crate::{Result, TrainError};

/// NCCL's unique id.
pub type UniqueId = [u8; 128];

/// Longest wait for all ranks to start: a cluster starts a job's nodes minutes apart.
const START: Duration = Duration::from_secs(600);
/// Longest wait for the bytes of a connection that is open.
const ANSWER: Duration = Duration::from_secs(10);
/// What a rank sends first. Others may try a port.
const GREETING: &[u8; 8] = b"f1ncclid";

/// Hands rank 0's id to every rank over the ranks' own connection.
///
/// # Errors
/// When rank 0 cannot make one, or another rank is gone.
pub fn broadcast(ranks: &Ranks, make: impl FnOnce() -> Result<UniqueId>) -> Result<UniqueId> {
    let own = if ranks.rank() == 0 { make()? } else { [0; 128] };
    let own: Vec<u32> = own.iter().map(|byte| u32::from(*byte)).collect();
    let count = own.len();
    let shared = ranks.broadcast(&Tensor::from_vec(own, count, &Device::Cpu)?)?;
    let bytes: Vec<u8> = shared.to_vec1::<u32>()?.into_iter().map(|byte| byte as u8).collect();
    bytes.try_into().map_err(|_| TrainError::Launch("NCCL's id was cut".to_owned()))
}

/// Hands rank 0's id to every rank over one socket at `MASTER_PORT` + 1, which is closed then: for
/// launchers without MPI.
///
/// # Errors
/// When the launcher tells no address, rank 0 cannot make an id, or a rank does not come.
pub fn over_socket(launch: &Launch, make: impl FnOnce() -> Result<UniqueId>) -> Result<UniqueId> {
    let Some((address, port)) = &launch.master else {
        let what = "MASTER_ADDR and MASTER_PORT are not set: start with torchrun";
        return Err(TrainError::Launch(what.to_owned()));
    };
    let Some(port) = port.checked_add(1) else {
        return Err(TrainError::Launch(format!("MASTER_PORT={port}: there is no port after it")));
    };
    let place = format!("{address}:{port}");
    if launch.rank == 0 {
        let id = make()?;
        serve(&place, port, launch.size, &id)?;
        return Ok(id);
    }
    receive(&place, launch.rank)
}

fn fault(place: &str, what: impl std::fmt::Display) -> TrainError {
    TrainError::Launch(format!("{place}, by which the ranks share NCCL's id: {what}"))
}

fn serve(place: &str, port: u16, size: usize, id: &UniqueId) -> Result<()> {
    let begun = Instant::now();
    // The address of the master may be one that only the other machines know this one by.
    let listener = TcpListener::bind(place).or_else(|_| TcpListener::bind(("0.0.0.0", port)));
    let listener = listener.map_err(|error| fault(place, error))?;
    listener.set_nonblocking(true).map_err(|error| fault(place, error))?;
    let mut served = vec![false; size];
    served[0] = true;
    while served.iter().any(|served| !served) {
        if begun.elapsed() > START {
            let missing = served.iter().filter(|served| !**served).count();
            return Err(fault(place, format!("{missing} of {size} ranks did not come")));
        }
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        // A connection that is not of a rank does not stop the others.
        if let Ok(rank) = answer(stream, id)
            && let Some(served) = served.get_mut(rank)
        {
            *served = true;
        }
    }
    Ok(())
}

/// Gives the id to one rank; which.
fn answer(mut stream: TcpStream, id: &UniqueId) -> std::io::Result<usize> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let mut greeting = [0; 16];
    stream.read_exact(&mut greeting)?;
    if greeting[..8] != *GREETING {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    stream.write_all(id)?;
    Ok(u64::from_le_bytes(greeting[8..].try_into().unwrap_or_default()) as usize)
}

fn receive(place: &str, rank: usize) -> Result<UniqueId> {
    let begun = Instant::now();
    loop {
        match ask(place, rank) {
            Ok(id) => return Ok(id),
            Err(error) if begun.elapsed() > START => {
                return Err(fault(place, format!("rank 0 does not answer ({error})")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn ask(place: &str, rank: usize) -> std::io::Result<UniqueId> {
    let mut last = std::io::Error::other("the name has no address");
    for address in place.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWER) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(START))?;
                stream.write_all(GREETING)?;
                stream.write_all(&(rank as u64).to_le_bytes())?;
                let mut id = [0; 128];
                stream.read_exact(&mut id)?;
                return Ok(id);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::launch::Launcher;
    use super::super::{OnHost, Threads};
    use super::*;

    /// An id as the library makes one.
    fn made() -> UniqueId {
        std::array::from_fn(|place| (place * 7 % 251) as u8)
    }

    #[test]
    fn every_rank_gets_rank_0s_id_over_the_socket_after_the_masters_port() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let launch = |rank: usize| Launch {
            rank,
            size: 3,
            local_rank: rank,
            launcher: Launcher::Torchrun,
            master: Some(("127.0.0.1".to_owned(), free - 1)),
        };
        let done = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            let others = [1, 2].map(|rank| {
                let launch = launch(rank);
                scope.spawn(move || {
                    over_socket(&launch, || panic!("only rank 0 makes an id")).unwrap()
                })
            });
            // Something else that tries the port.
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", free)) {
                        let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
                    }
                    std::thread::yield_now();
                }
            });
            let own = over_socket(&launch(0), || Ok(made())).unwrap();
            assert_eq!(own, made());
            for other in others {
                assert_eq!(other.join().unwrap(), made());
            }
            done.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn every_rank_gets_rank_0s_id_over_mpi() {
        std::thread::scope(|scope| {
            let ranks: Vec<_> = Threads::connected(3)
                .into_iter()
                .map(|threads| {
                    scope.spawn(move || broadcast(&Ranks::new(OnHost::new(threads)), || Ok(made())))
                })
                .collect();
            for rank in ranks {
                assert_eq!(rank.join().unwrap().unwrap(), made());
            }
        });
    }

    #[test]
    fn a_launcher_that_tells_no_address_is_named() {
        let launch =
            Launch { rank: 1, size: 2, local_rank: 1, launcher: Launcher::Slurm, master: None };
        let message = over_socket(&launch, || Ok(made())).unwrap_err().to_string();
        assert!(message.contains("MASTER_ADDR"), "{message}");
    }
}
