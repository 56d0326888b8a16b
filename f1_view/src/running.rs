//! A server's thread with its own runtime.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use axum::Router;
use tokio::sync::oneshot;

use crate::ViewError;

/// Serves until it is dropped. Open connections are cut then: they say that the program has ended.
pub(crate) struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Serves `router` on a thread of this name from now on; port 0 takes a free one.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub fn start(name: &str, address: SocketAddr, router: Router) -> Result<Self, ViewError> {
        let failed = |source| ViewError::Listen { address, source };
        // Bound here, so that a fault is the caller's.
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ViewError::Thread)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            runtime.block_on(async move {
                let listener = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => return tracing::error!(%error, %address, "not served"),
                };
                let serving = std::future::IntoFuture::into_future(axum::serve(listener, router));
                tokio::select! {
                    ended = serving => {
                        if let Err(error) = ended {
                            tracing::error!(%error, %address, "no longer served");
                        }
                    }
                    _ = stopped => {}
                }
            });
            // A command that still waits for an answer must not keep the program.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = Some(thread.map_err(ViewError::Thread)?);
        Ok(Self { address, stop: Some(stop), thread })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
