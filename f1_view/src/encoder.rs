//! Images as JPEG: each once for all pages, on a thread of low priority.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::thumbnail;
use tokio::sync::{mpsc, oneshot};

use crate::Source;

/// Widest image that is sent, in pixels: wider ones are made smaller.
const WIDTH: u32 = 480;
/// Quality of JPEG, 1 to 100.
const QUALITY: u8 = 80;
/// The nice value of the thread, as of every thread whose results are only shown.
const NICE: i32 = 10;
/// Requests that may wait.
const QUEUE: usize = 1024;

struct Wanted {
    key: String,
    reply: oneshot::Sender<Option<(u64, Bytes)>>,
}

/// The thread that encodes; it ends with the last handle.
#[derive(Clone)]
pub(crate) struct Encoder {
    sender: mpsc::Sender<Wanted>,
    encoded: Arc<AtomicU64>,
}

impl Encoder {
    /// Starts the thread.
    pub fn start(source: Arc<dyn Source>) -> std::io::Result<Self> {
        let (sender, mut receiver) = mpsc::channel::<Wanted>(QUEUE);
        let encoded = Arc::new(AtomicU64::new(0));
        let count = encoded.clone();
        std::thread::Builder::new().name("view images".into()).spawn(move || {
            // On Linux `None` means the calling thread. A refusal changes nothing but the order in
            // which a busy machine computes.
            let _ = rustix::process::setpriority_process(None, NICE);
            let mut cache: HashMap<String, (u64, Bytes)> = HashMap::new();
            while let Some(Wanted { key, reply }) = receiver.blocking_recv() {
                if reply.is_closed() {
                    continue;
                }
                let _ = reply.send(newest(&*source, &key, &mut cache, &count));
            }
        })?;
        Ok(Self { sender, encoded })
    }

    /// An image's newest state: its sequence and the JPEG file.
    pub async fn image(&self, key: &str) -> Option<(u64, Bytes)> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(Wanted { key: key.to_owned(), reply }).await.ok()?;
        answer.await.ok()?
    }

    /// Images encoded so far.
    pub fn encoded(&self) -> u64 {
        self.encoded.load(Ordering::Relaxed)
    }
}

fn newest(
    source: &dyn Source,
    key: &str,
    cache: &mut HashMap<String, (u64, Bytes)>,
    count: &AtomicU64,
) -> Option<(u64, Bytes)> {
    let images = source.images();
    cache.retain(|key, _| images.iter().any(|image| image.key == *key));
    let sequence = images.iter().find(|image| image.key == key)?.sequence;
    if let Some(found) = cache.get(key).filter(|(cached, _)| *cached == sequence) {
        return Some(found.clone());
    }
    let (sequence, image) = source.image(key)?;
    let file = Bytes::from(jpeg(&image)?);
    count.fetch_add(1, Ordering::Relaxed);
    cache.insert(key.to_owned(), (sequence, file.clone()));
    Some((sequence, file))
}

/// A JPEG file of an image, at most [`WIDTH`] wide.
fn jpeg(image: &RgbImage) -> Option<Vec<u8>> {
    let smaller;
    let image = if image.width() > WIDTH {
        let height =
            (u64::from(image.height()) * u64::from(WIDTH) / u64::from(image.width())).max(1);
        smaller = thumbnail(image, WIDTH, u32::try_from(height).ok()?);
        &smaller
    } else {
        image
    };
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, QUALITY).encode_image(image).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_images_become_smaller_and_keep_their_shape() {
        let wide = RgbImage::from_pixel(1920, 1080, image::Rgb([200, 10, 10]));
        let read = image::load_from_memory(&jpeg(&wide).unwrap()).unwrap().into_rgb8();
        assert_eq!(read.dimensions(), (480, 270));
        assert!(read.get_pixel(5, 5).0[0] > 190);
        let small = RgbImage::new(224, 224);
        let read = image::load_from_memory(&jpeg(&small).unwrap()).unwrap();
        assert_eq!((read.width(), read.height()), (224, 224));
    }
}
