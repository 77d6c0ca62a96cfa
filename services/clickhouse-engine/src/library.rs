//! The five functions of libchdb that are needed. No registry package ships its header, so they are declared
//! here; they are part of chdb's stable C interface.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr;
use std::slice;

use anyhow::{Context as _, Result, bail};
use libloading::Library;

/// `chdb_result *`, opaque.
type Answer = *mut c_void;

/// A loaded libchdb.
pub(crate) struct Engine {
    version: String,
    query_command_line: unsafe extern "C" fn(c_int, *mut *mut c_char) -> Answer,
    result_buffer: unsafe extern "C" fn(Answer) -> *const c_char,
    result_length: unsafe extern "C" fn(Answer) -> usize,
    result_error: unsafe extern "C" fn(Answer) -> *const c_char,
    /// Never unloaded: its threads and exit handlers outlive any call.
    _library: ManuallyDrop<Library>,
}

impl Engine {
    /// Loads the library and finds its functions.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        // SAFETY: loading runs the library's initialisers. It is libchdb, which sets up its own allocator and
        // globals there and expects nothing of us; no thread of ours runs yet.
        let library = unsafe { Library::new(path) }.with_context(|| {
            format!(
                "cannot load {}: is it libchdb.so for this processor and C library?",
                path.display()
            )
        })?;
        let library = ManuallyDrop::new(library);
        // SAFETY: the signatures are those of chdb.h of the pinned release; the library is never unloaded, so
        // the function pointers stay good.
        unsafe {
            let version: unsafe extern "C" fn() -> *const c_char = function(&library, "chdb_version")?;
            Ok(Self {
                version: text_at(version()),
                query_command_line: function(&library, "chdb_query_cmdline")?,
                result_buffer: function(&library, "chdb_result_buffer")?,
                result_length: function(&library, "chdb_result_length")?,
                result_error: function(&library, "chdb_result_error")?,
                _library: library,
            })
        }
    }

    /// The library's release.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Runs `clickhouse-local` with this command line, program name first, and returns what it printed. Blocks
    /// until the last statement has ended.
    pub(crate) fn run(&self, command_line: &[String]) -> Result<String> {
        let words: Vec<CString> = command_line
            .iter()
            .map(|word| CString::new(word.as_str()))
            .collect::<Result<_, _>>()
            .context("an argument holds a zero byte")?;
        let mut pointers: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).context("too many arguments")?;
        // C programs may expect a null pointer after the last argument.
        pointers.push(ptr::null_mut());

        // SAFETY: `pointers` holds `count` pointers to zero-terminated strings, then a null pointer; they and the
        // strings live until the end of this function. The library reads them and does not write.
        let answer = unsafe { (self.query_command_line)(count, pointers.as_mut_ptr()) };
        if answer.is_null() {
            bail!("the engine gave no answer");
        }
        // SAFETY: `answer` is a live result; the error is null or a string that lives as long as the result.
        let error = unsafe { text_at((self.result_error)(answer)) };
        if !error.is_empty() {
            bail!("ClickHouse: {error}");
        }
        // SAFETY: `answer` is a live result; its buffer, where there is one, holds `length` bytes.
        let (buffer, length) = unsafe { ((self.result_buffer)(answer), (self.result_length)(answer)) };
        if buffer.is_null() || length == 0 {
            return Ok(String::new());
        }
        // SAFETY: not null, `length` initialised bytes, and nobody changes them. The result is not freed: the
        // process ends next.
        let bytes = unsafe { slice::from_raw_parts(buffer.cast::<u8>(), length) };
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// The function called `name`.
///
/// # Safety
/// `F` must be the function's type.
unsafe fn function<F: Copy>(library: &Library, name: &str) -> Result<F> {
    // SAFETY: the caller vouches for the type.
    let symbol = unsafe { library.get::<F>(name) };
    Ok(*symbol.with_context(|| format!("the library has no function {name}: is it libchdb.so?"))?)
}

/// The text at `pointer`; empty when it is null.
///
/// # Safety
/// `pointer` is null or points to a zero-terminated string.
unsafe fn text_at(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: as the caller vouches.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
