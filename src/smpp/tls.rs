//! TLS to an SMSC: the server's certificate and name are always verified. There is no way round that: an
//! SMSC with a certificate of its own making is reached by naming that as its authority.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What a link's TLS is made of. Two that are equal make equal connections: a renewed file makes another.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// The name that the server's certificate must have.
    pub server_name: String,
    /// PEM of the authorities that are trusted; the system's where it is empty.
    pub authorities: Vec<u8>,
    /// PEM of our certificate, with those between it and its authority; empty: none.
    pub certificate: Vec<u8>,
    /// PEM of its key.
    pub key: Vec<u8>,
}

/// What can be wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No name that a certificate can have.
    #[error("`{0}` is no name that a certificate can have; set server_name")]
    Name(String),
    /// A PEM file that can't be read.
    #[error("{0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// Nothing is trusted.
    #[error("the system trusts no authority (is ca-certificates installed?); set ca_file")]
    NoRoots,
    /// Whatever rustls refuses.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
}

/// A ready client.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// From its parts.
    pub fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        let name = ServerName::try_from(options.server_name.clone())
            .map_err(|_| TlsError::Name(options.server_name.clone()))?;
        let mut roots = RootCertStore::empty();
        if options.authorities.is_empty() {
            // What the system has and rustls can't read is left out, as elsewhere.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        } else {
            for certificate in CertificateDer::pem_slice_iter(&options.authorities) {
                roots.add(certificate?)?;
            }
        }
        if roots.is_empty() {
            return Err(TlsError::NoRoots);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = if options.certificate.is_empty() {
            builder.with_no_client_auth()
        } else {
            let chain = CertificateDer::pem_slice_iter(&options.certificate).collect::<Result<Vec<_>, _>>()?;
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&options.key)?)?
        };
        Ok(Self { connector: Arc::new(config).into(), name })
    }

    /// Secures a connection.
    pub async fn secure<S: AsyncRead + AsyncWrite + Unpin>(&self, io: S) -> std::io::Result<TlsStream<S>> {
        let made = self.connector.connect(self.name.clone(), io).await;
        made.map_err(|error| {
            let name = self.name.to_str();
            std::io::Error::new(error.kind(), format!("no TLS with {name}: {error}"))
        })
    }
}

impl std::fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsOptions").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}
