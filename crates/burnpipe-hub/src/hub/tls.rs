//! How connections are encrypted.
//!
//! By graviola, which needs only the Rust compiler to build; ring, ureq's default, needs a C
//! compiler. Graviola wants a processor of about 2014 or later, x86-64 or ARM64; the feature `ring`
//! is there for the others, and other processors have ring anyway.

use std::path::Path;

use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// The settings for a connection; `ca_bundle` is a PEM file of the authorities to trust instead of
/// Mozilla's, as companies with their own need it.
pub(crate) fn config(ca_bundle: Option<&Path>) -> Result<TlsConfig> {
    let builder = TlsConfig::builder().unversioned_rustls_crypto_provider(provider()?);
    let Some(path) = ca_bundle else { return Ok(builder.build()) };
    let unusable = || format!("cannot use the certificates in `{}`", path.display());
    let pem = std::fs::read(path).context(ErrorKind::Io, unusable)?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.context(ErrorKind::Config, unusable)? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(Error::new(ErrorKind::Config, format!("`{}` holds no certificate", path.display())));
    }
    Ok(builder.root_certs(RootCerts::new_with_certs(&certificates)).build())
}

#[cfg(any(feature = "ring", not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn provider() -> Result<std::sync::Arc<rustls::crypto::CryptoProvider>> {
    Ok(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
}

#[cfg(all(not(feature = "ring"), any(target_arch = "x86_64", target_arch = "aarch64")))]
fn provider() -> Result<std::sync::Arc<rustls::crypto::CryptoProvider>> {
    // Without them graviola panics at its first use.
    if !processor_suffices() {
        let message = "this processor lacks instructions that secure connections need here; \
                       build with the feature `ring`, or download the model on another machine";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(std::sync::Arc::new(rustls_graviola::default_provider()))
}

#[cfg(all(not(feature = "ring"), target_arch = "x86_64"))]
fn processor_suffices() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("aes")
        && has!("ssse3")
        && has!("pclmulqdq")
        && has!("avx")
        && has!("avx2")
        && has!("bmi1")
        && has!("bmi2")
        && has!("adx")
}

#[cfg(all(not(feature = "ring"), target_arch = "aarch64"))]
fn processor_suffices() -> bool {
    use std::arch::is_aarch64_feature_detected as has;
    has!("aes") && has!("sha2") && has!("pmull") && has!("neon")
}
