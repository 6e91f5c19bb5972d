//! TLS as libpq's `sslmode` spells it, on rustls.
//!
//! `require` and `prefer` encrypt without asking who answers, unless there is a root certificate to ask with; the
//! `verify` modes ask always, `verify-ca` without comparing the host's name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, ErrorKind, Result};

/// The values of `sslmode`, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Where the certificates to check the server's with come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Nowhere: the server's certificate is not checked.
    None,
    /// A PEM file.
    File(PathBuf),
    /// The system's bundle, `sslrootcert=system`.
    System,
}

/// Everything that TLS is set up from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsSettings {
    pub(super) mode: Mode,
    pub(super) roots: Roots,
    /// This client's own certificate and its key, PEM files both.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    pub(super) versions: &'static [&'static SupportedProtocolVersion],
    /// Whether TLS starts without the protocol's own request for it (`sslnegotiation=direct`).
    pub(super) direct: bool,
}

/// Bundles of certificates where the distributions keep them.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Mode {
    pub(super) const NAMES: &'static str = "disable, allow, prefer, require, verify-ca or verify-full";

    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

impl TlsSettings {
    /// What makes TLS connections with these settings; reads the files that they name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] if a file cannot be read or does not hold what it should.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(self, Arc::clone(&provider))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .map_err(|error| fault("TLS cannot be set up").with_source(error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| fault("sslcert and sslkey do not go together").with_source(error))?,
        };
        // The protocol's name that a server expects where no other word of the protocol comes first.
        config.alpn_protocols = if self.direct { vec![b"postgresql".to_vec()] } else { Vec::new() };
        Ok(MakeRustlsConnect::new(config))
    }
}

fn fault(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Settings, message)
}

/// Judges the server's certificate.
#[derive(Debug)]
struct Verifier {
    check: Check,
    roots: RootCertStore,
    /// The certificates of the root file as they stand: one of them may be the server's own.
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

impl Verifier {
    fn new(settings: &TlsSettings, provider: Arc<CryptoProvider>) -> Result<Self> {
        let pinned = match &settings.roots {
            Roots::None => Vec::new(),
            Roots::File(path) => certificates(path)?,
            Roots::System => certificates(system_bundle()?)?,
        };
        let check = match (settings.mode, &settings.roots) {
            (Mode::VerifyCa | Mode::VerifyFull, Roots::None) => return Err(no_roots()),
            (Mode::VerifyFull, _) => Check::ChainAndName,
            (_, Roots::None) => Check::Nothing,
            _ => Check::Chain,
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(pinned.iter().cloned());
        Ok(Self { check, roots, pinned, provider })
    }

    /// Whether the certificate leads to one of the roots, or is one of them.
    fn check_chain(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms) {
            // A self-signed certificate says that it is an authority, which is an error in a server's; OpenSSL takes
            // one that the root file holds. Its dates were checked before this was found.
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_)))
                if self.pinned.iter().any(|root| root == certificate) =>
            {
                Ok(())
            }
            verdict => verdict,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.check != Check::Nothing {
            self.check_chain(certificate, intermediates, now)?;
        }
        if self.check == Check::ChainAndName {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn no_roots() -> Error {
    fault("sslmode verify-ca and verify-full need certificates to check the server's with").with_hint(
        "sslrootcert=FILE names them; sslrootcert=system takes the system's; ~/.postgresql/root.crt is the default",
    )
}

fn system_bundle() -> Result<&'static Path> {
    let bundles = SYSTEM_BUNDLES.iter().map(Path::new);
    bundles.into_iter().find(|path| path.exists()).ok_or_else(|| {
        fault("sslrootcert=system found no certificates of the system").with_hint("name a file: sslrootcert=FILE")
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match parsed {
        Ok(found) if found.is_empty() => Err(fault(format!("there is no certificate in {}", path.display()))),
        Ok(found) => Ok(found),
        Err(error) => Err(fault(format!("cannot read the certificates in {}", path.display())).with_source(error)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    if fs::metadata(path).is_ok_and(|metadata| is_open_to_others(&metadata)) {
        return Err(fault(format!("others may read the private key {}", path.display()))
            .with_hint(format!("`chmod 0600 {}`", path.display())));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        fault(format!("cannot read the private key in {}", path.display()))
            .with_source(error)
            .with_hint("the key must be PEM and not encrypted")
    })
}

/// libpq's rule: nobody else, but a key that belongs to root may be readable by its group.
#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let allowed = if metadata.uid() == 0 { 0o640 } else { 0o600 };
    metadata.mode() & 0o777 & !allowed & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_metadata: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(mode: Mode, roots: Roots) -> TlsSettings {
        TlsSettings { mode, roots, identity: None, versions: rustls::ALL_VERSIONS, direct: false }
    }

    fn check(mode: Mode, roots: Roots) -> Result<Check> {
        Verifier::new(&settings(mode, roots), Arc::new(ring::default_provider())).map(|verifier| verifier.check)
    }

    /// A self-signed certificate that was made once with openssl for the name `test`, good until 2126.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBhzCCASygAwIBAgIUO20oYVtfPw6cSt79bfbOllWXaV4wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjAxNDI3MjZaGA8yMTI2MTAyNzE0Mjcy
NlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLNE
wLFialokDUUob+sTooy73pIxaA5W3YUMVzvRyLqHMppD82HbXd7M43BJsLZU4ww/
nZRg32CSgfZPJJmkOnOjZDBiMB0GA1UdDgQWBBRurpGbKbdrot/cVAWkhoun3stG
izAfBgNVHSMEGDAWgBRurpGbKbdrot/cVAWkhoun3stGizAPBgNVHRMBAf8EBTAD
AQH/MA8GA1UdEQQIMAaCBHRlc3QwCgYIKoZIzj0EAwIDSQAwRgIhAJc+yW66lXlt
eGNtdwJqKAVVphTYxG3qEJwkWdymwjbNAiEAnO9t97Sjwe7DG/5ednqKejfnaUqG
OLOHjbwx9tokslE=
-----END CERTIFICATE-----
";

    fn root_file(folder: &Path) -> Roots {
        let path = folder.join("root.crt");
        fs::write(&path, CERTIFICATE).unwrap();
        Roots::File(path)
    }

    #[test]
    fn a_root_certificate_turns_require_into_verify_ca_and_verify_needs_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = || root_file(folder.path());
        assert_eq!(check(Mode::Prefer, Roots::None).unwrap(), Check::Nothing);
        assert_eq!(check(Mode::Require, Roots::None).unwrap(), Check::Nothing);
        assert_eq!(check(Mode::Require, file()).unwrap(), Check::Chain);
        assert_eq!(check(Mode::VerifyCa, file()).unwrap(), Check::Chain);
        assert_eq!(check(Mode::VerifyFull, file()).unwrap(), Check::ChainAndName);
        assert_eq!(check(Mode::VerifyCa, Roots::None).unwrap_err().kind(), ErrorKind::Settings);
        assert!(check(Mode::VerifyFull, Roots::None).unwrap_err().hint().unwrap().contains("sslrootcert"));
    }

    #[test]
    fn a_certificate_that_the_root_file_holds_is_trusted_within_its_dates_and_another_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(Mode::VerifyCa, root_file(folder.path()));
        let mut verifier = Verifier::new(&settings, Arc::new(ring::default_provider())).unwrap();
        let own = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let inside = at(1_800_000_000);
        verifier.check_chain(&own, &[], inside).unwrap();
        assert!(verifier.check_chain(&own, &[], at(0)).is_err());
        verifier.pinned.clear();
        verifier.roots = RootCertStore::empty();
        assert!(verifier.check_chain(&own, &[], inside).is_err());
    }

    #[test]
    fn a_file_without_a_certificate_or_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.pem");
        fs::write(&path, "nothing\n").unwrap();
        let error = settings(Mode::Require, Roots::File(path.clone())).connector().err().unwrap();
        assert!(error.to_string().contains("empty.pem"), "{error}");
        let missing = settings(Mode::Require, Roots::File(folder.path().join("gone.pem"))).connector();
        assert!(missing.err().unwrap().to_string().contains("gone.pem"));
        let mut both = settings(Mode::Require, root_file(folder.path()));
        both.identity = Some((folder.path().join("root.crt"), path));
        assert!(both.connector().err().unwrap().to_string().contains("private key"));
    }

    #[test]
    fn modes_are_read_by_their_names_and_ordered_by_strength() {
        assert_eq!(Mode::parse("verify-full"), Some(Mode::VerifyFull));
        assert_eq!(Mode::parse("verify_full"), None);
        assert!(Mode::Disable < Mode::Prefer && Mode::Require < Mode::VerifyCa);
    }
}
