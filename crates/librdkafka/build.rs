//! Compiles the files of librdkafka that are mended, from the very sources that `rdkafka-sys` built.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

/// A change to one file: what stands there, once, and what has to stand there.
struct Mend {
    file: &'static str,
    issue: u32,
    from: &'static str,
    to: &'static str,
}

const MENDS: [Mend; 1] = [Mend {
    file: "rdkafka_fetcher.c",
    issue: 5280,
    from: "                                changed_partition++;
                        }
                        changed_topic++;
",
    to: "                                changed_partition++;
                        }
                        /* Those without a leader were counted, and passed over. */
                        md->topics[changed_topic].partition_cnt = changed_partition;
                        changed_topic++;
",
}];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let library = PathBuf::from(env::var("DEP_RDKAFKA_ROOT")?);
    let sources = library.join("src");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for mend in MENDS {
        let path = sources.join(mend.file);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        if text.matches(mend.from).count() != 1 {
            return Err(format!(
                "{}: the lines that are mended are not there once; see whether librdkafka's issue {} is closed in this \
                 release, and take its mend out of crates/librdkafka then",
                path.display(),
                mend.issue
            )
            .into());
        }
        let mended = text.replace(mend.from, mend.to)
            + "\n/* Names this file, so that the linker takes it in place of the library's own. */\n\
               const int mineseal_librdkafka_mended = 1;\n";
        let file = out.join(mend.file);
        fs::write(&file, mended)?;
        cc::Build::new()
            .file(&file)
            .include(&sources)
            .include(&library)
            .warnings(false)
            .flag("-fPIC")
            .try_compile("mineseal_librdkafka_mended")?;
    }
    Ok(())
}
