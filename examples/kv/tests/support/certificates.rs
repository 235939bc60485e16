//! Certificates made for a test: an authority, and nodes that it signs for.

#![allow(unreachable_pub)]

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use kv::tls::Files;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

/// An authority whose files are below a directory.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: PathBuf,
}

impl Authority {
    pub fn new(root: &Path, name: &str) -> Self {
        let directory = root.join(name);
        fs::create_dir(&directory).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        fs::write(directory.join("ca.pem"), certificate.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        Self { issuer, directory }
    }

    pub fn certificate(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// The files of a node that may call itself so.
    pub fn sign(&self, name: &str) -> Files {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        let loopback = SanType::IpAddress(Ipv4Addr::LOCALHOST.into());
        params.subject_alt_names.push(loopback);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = Files {
            certificate: self.directory.join(format!("{name}.pem")),
            key: self.directory.join(format!("{name}.key")),
            authority: self.certificate(),
        };
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

/// The options that name these files.
pub fn options(files: &Files) -> Vec<String> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    [
        ("--tls-cert", &files.certificate),
        ("--tls-key", &files.key),
        ("--tls-ca", &files.authority),
    ]
    .into_iter()
    .flat_map(|(name, path)| [name.to_owned(), text(path)])
    .collect()
}
