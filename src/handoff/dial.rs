//! How a connection is made, so that what runs over it need not know: a Unix socket here, an address
//! there, a pipe in a simulation.

use std::future::Future;
use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};

/// What is read from and written to.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Makes connections.
pub trait Dial: Send + Sync + 'static {
    /// A connection.
    type Stream: Stream;

    /// Makes one; how long that may take is for the caller to say.
    fn dial(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Takes connections.
pub trait Accept: Send + 'static {
    /// A connection.
    type Stream: Stream;

    /// Waits for one.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// A Unix socket by its path.
#[derive(Debug, Clone)]
pub struct UnixSocket(pub PathBuf);

impl Dial for UnixSocket {
    type Stream = UnixStream;

    async fn dial(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.0).await
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<UnixStream> {
        Ok(UnixListener::accept(self).await?.0)
    }
}
