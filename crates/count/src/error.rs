use std::io;
use std::path::PathBuf;

use mineseal_detector::DetectorError;
use mineseal_video::VideoError;
use thiserror::Error;

/// What is wrong with a line.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LineError {
    /// Not four fields.
    #[error(
        "line {text:?}: has {found} number(s); give four with commas between, X1,Y1,X2,Y2 in pixels, such as 200,0,200,360"
    )]
    Count {
        /// As given.
        text: String,
        /// Fields found.
        found: usize,
    },
    /// A field is no number.
    #[error(
        "line {text:?}: {name} is {field:?}, which is not a number; give X1,Y1,X2,Y2 in pixels, such as 200,0,200,360"
    )]
    Number {
        /// As given.
        text: String,
        /// Which one.
        name: &'static str,
        /// What stands there.
        field: String,
    },
    /// The ends fall together.
    #[error("line {text:?}: both ends are the same point; give two different ones, such as 200,0,200,360")]
    NoLength {
        /// As given.
        text: String,
    },
    /// An end lies outside the picture.
    #[error(
        "line: {name} = {x},{y} lies outside the picture of {width}x{height}; give x from 0 to {width} and y from 0 to {height}"
    )]
    Outside {
        /// Which end.
        name: &'static str,
        /// Its place.
        x: f32,
        /// Its place.
        y: f32,
        /// Of the picture.
        width: u32,
        /// Of the picture.
        height: u32,
    },
}

/// Why a video could not be counted.
#[derive(Debug, Error)]
pub enum CountError {
    /// The line does not fit.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Reading the video, or writing the drawn one.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The weights or the net.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// A video without a picture.
    #[error("{video}: holds no picture that can be decoded; it may be damaged or cut off, export it again")]
    NoPictures {
        /// The file.
        video: PathBuf,
    },
    /// The picture changes its size on the way, so that the line has no place any more.
    #[error(
        "{video}: frame {frame} is {found}, the frames before were {expected}; cut the video there and count the parts"
    )]
    SizeChanged {
        /// The file.
        video: PathBuf,
        /// Index of the frame, from 0.
        frame: i64,
        /// Size of this frame.
        found: String,
        /// Size of those before.
        expected: String,
    },
    /// A detector's thread ended without a result.
    #[error("a detector thread stopped; this is a fault of the program: report it with the video's name")]
    DetectorThread,
}

/// Why detections could not be tracked.
#[derive(Debug, Error)]
pub enum TrackError {
    /// The file cannot be read.
    #[error("{path}: cannot be read ({source}); check path and permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A row is not as it should be.
    #[error("{path}, row {row}: {reason}; a row is frame,-1,left,top,width,height,score")]
    Row {
        /// The file.
        path: PathBuf,
        /// From 1.
        row: usize,
        /// What is wrong.
        reason: String,
    },
    /// The rate is none.
    #[error("{frames_per_second} frames per second cannot be; give more than 0 and at most 1000")]
    Rate {
        /// As given.
        frames_per_second: f64,
    },
    /// The rows cannot be written.
    #[error("the tracked rows cannot be written: {0}")]
    Write(#[source] io::Error),
}
