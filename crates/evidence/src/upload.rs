//! Large objects go to an S3 server in parts, so that one request stays short on a slow line. The object is there when
//! the server was told that all parts are; an upload that is broken off is taken back.

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload, Result};

/// Length of a part, bytes; what is no longer is one request. S3 wants at least 5 MiB.
pub(crate) const PART: usize = 8 * 1024 * 1024;

/// Stores the object whole or not at all.
pub(crate) async fn put(store: &dyn ObjectStore, location: &ObjectPath, bytes: Bytes) -> Result<()> {
    if bytes.len() <= PART {
        store.put(location, PutPayload::from(bytes)).await?;
        return Ok(());
    }
    let mut upload = Upload(Some(store.put_multipart(location).await?));
    let done = upload.send(bytes).await;
    let begun = upload.0.take();
    if let (Err(_), Some(mut begun)) = (&done, begun) {
        // The first error is what is told; a server that cannot be told either forgets the parts by the bucket's rule.
        begun.abort().await.ok();
    }
    done
}

/// An upload that is taken back when nobody waits for it any more.
struct Upload(Option<Box<dyn MultipartUpload>>);

impl Upload {
    async fn send(&mut self, bytes: Bytes) -> Result<()> {
        let Some(upload) = &mut self.0 else { return Ok(()) };
        for from in (0..bytes.len()).step_by(PART) {
            let part = bytes.slice(from..bytes.len().min(from + PART));
            upload.put_part(PutPayload::from(part)).await?;
        }
        upload.complete().await?;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(mut begun), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { begun.abort().await.ok() });
        }
    }
}
