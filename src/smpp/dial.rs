//! The way to an SMSC: TCP with a small buffer, and TLS over it where the link has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::tls::Tls;
use crate::handoff::dial::Dial;
use crate::limits::{LINK_SOCKET_BYTES, LINK_SOCKETS_BYTES_MAX};

/// An SMSC by its name or address; each of its addresses is tried.
pub(super) struct Smsc {
    /// Its host.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// How many binds share what the sockets' buffers may hold.
    pub(super) binds: Arc<AtomicUsize>,
    /// How it is spoken to in secret, where it is.
    pub(super) tls: Option<Tls>,
}

impl Dial for Smsc {
    type Stream = Either<TcpStream, TlsStream<TcpStream>>;

    async fn dial(&self) -> std::io::Result<Self::Stream> {
        let share = LINK_SOCKETS_BYTES_MAX / self.binds.load(Ordering::Relaxed).max(1);
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
        for address in tokio::net::lookup_host((self.host.as_str(), self.port)).await? {
            match open(address, share.min(LINK_SOCKET_BYTES)).await {
                Ok(stream) => {
                    return match &self.tls {
                        None => Ok(Either::Left(stream)),
                        Some(tls) => Ok(Either::Right(tls.secure(stream).await?)),
                    };
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn open(address: std::net::SocketAddr, socket_bytes: usize) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Before the connection, as it sets the window that is offered.
    socket.set_recv_buffer_size(u32::try_from(socket_bytes).unwrap_or(u32::MAX))?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}
