//! Compiles the file of librdkafka that is mended, from the very sources that `rdkafka-sys` built.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

const FILE: &str = "rdkafka_fetcher.c";
/// What stands there, once.
const FROM: &str = "                                changed_partition++;
                        }
                        changed_topic++;
";
/// What has to stand there.
const TO: &str = "                                changed_partition++;
                        }
                        /* Those without a leader were counted, and passed over. */
                        md->topics[changed_topic].partition_cnt = changed_partition;
                        changed_topic++;
";
/// Names the file, so that the linker takes it in place of the library's own.
const NAME: &str = "\nconst int mineseal_librdkafka_mended = 1;\n";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let library = PathBuf::from(env::var("DEP_RDKAFKA_ROOT")?);
    let sources = library.join("src");
    let path = sources.join(FILE);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if text.matches(FROM).count() != 1 {
        return Err(format!(
            "{}: the lines that are mended are not there once; see whether librdkafka's issue 5280 is closed in this \
             release, and take crates/librdkafka out then",
            path.display()
        )
        .into());
    }
    let file = PathBuf::from(env::var("OUT_DIR")?).join(FILE);
    fs::write(&file, text.replace(FROM, TO) + NAME)?;
    cc::Build::new()
        .file(&file)
        .include(&sources)
        .include(&library)
        .warnings(false)
        .try_compile("mineseal_librdkafka_mended")?;
    Ok(())
}
