//! How an S3 server is reached.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mineseal_settings::S3Settings;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::Certificate;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use crate::EvidenceError;

/// One request, such as a part of a clip over a slow line.
const REQUEST: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(5);
/// A request is tried so often within so long before its failure is told; who stores evidence tries again.
const RETRIES: usize = 3;
const RETRIES_WITHIN: Duration = Duration::from_secs(90);

/// An opened bucket.
pub(crate) struct Bucket {
    pub(crate) store: Arc<PrefixStore<AmazonS3>>,
    /// For messages.
    pub(crate) endpoint: String,
}

/// Opens `s3://BUCKET/PREFIX`. `variables` are those of the environment: Amazon's (`AWS_ACCESS_KEY_ID`, ...) count where
/// the settings say nothing, others are passed over.
pub(crate) fn open(
    place: &str,
    settings: &S3Settings,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Bucket, EvidenceError> {
    let wrong = |key, reason: String, help| EvidenceError::Misconfigured {
        place: place.to_owned(),
        key,
        reason,
        help,
    };
    let (_, path) = place.split_once("://").unwrap_or_default();
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() {
        return Err(wrong(
            "evidence.location",
            "no bucket".to_owned(),
            "write s3://BUCKET/PREFIX",
        ));
    }
    let prefix = ObjectPath::parse(prefix)
        .map_err(|error| wrong("evidence.location", error.to_string(), "write s3://BUCKET/PREFIX"))?;
    let mut builder = AmazonS3Builder::new();
    for (name, value) in variables {
        let amazons = name.starts_with("AWS_");
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>()
            && amazons
        {
            builder = builder.with_config(key, value);
        }
    }
    if !settings.region.is_empty() {
        builder = builder.with_region(&settings.region);
    }
    if !settings.endpoint.is_empty() {
        builder = builder.with_endpoint(settings.endpoint.trim_end_matches('/'));
    }
    if !settings.access_key_id_file.as_os_str().is_empty() {
        let read = |key, file| {
            line_of(file).map_err(|reason| wrong(key, reason, "write the key into the file, on one line"))
        };
        builder = builder
            .with_access_key_id(read(
                "evidence.s3.access_key_id_file",
                &settings.access_key_id_file,
            )?)
            .with_secret_access_key(read(
                "evidence.s3.secret_access_key_file",
                &settings.secret_access_key_file,
            )?);
    }
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
    if endpoint.is_some()
        && builder
            .get_config_value(&AmazonS3ConfigKey::AccessKeyId)
            .is_none()
    {
        return Err(wrong(
            "evidence.s3.access_key_id_file",
            "no access key for this server".to_owned(),
            "name the files with the two halves of the key, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ));
    }
    let mut client = ClientOptions::new()
        .with_timeout(REQUEST)
        .with_connect_timeout(CONNECT)
        .with_allow_http(endpoint.as_deref().is_some_and(|url| url.starts_with("http://")));
    if !settings.ca_file.as_os_str().is_empty() {
        let help = "write the certificate of the server's authority into it, as PEM";
        let unreadable = |reason: String| {
            let file = settings.ca_file.display();
            wrong("evidence.s3.ca_file", format!("{file}: {reason}"), help)
        };
        let text = fs::read(&settings.ca_file).map_err(|error| unreadable(error.to_string()))?;
        for certificate in
            Certificate::from_pem_bundle(&text).map_err(|error| unreadable(error.to_string()))?
        {
            client = client.with_root_certificate(certificate);
        }
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(settings.bucket_in_host)
        .with_client_options(client)
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                max_backoff: Duration::from_secs(5),
                ..BackoffConfig::default()
            },
            max_retries: RETRIES,
            retry_timeout: RETRIES_WITHIN,
        })
        .build()
        .map_err(|error| {
            wrong(
                "evidence.s3",
                error.to_string(),
                "`mineseal config schema` says what each key takes",
            )
        })?;
    Ok(Bucket {
        store: Arc::new(PrefixStore::new(store, prefix)),
        endpoint: endpoint.unwrap_or_else(|| "Amazon S3".to_owned()),
    })
}

/// What a file holds, without the end of its line; never a part of it in an error.
fn line_of(file: &Path) -> Result<String, String> {
    if file.as_os_str().is_empty() {
        return Err("no file is named".to_owned());
    }
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains(['\r', '\n']) {
        return Err(format!("{}: holds not one line", file.display()));
    }
    Ok(line.to_owned())
}
