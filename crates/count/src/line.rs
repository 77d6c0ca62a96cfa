use mineseal_domain::{Line, Point};

use crate::LineError;

/// A line from `X1,Y1,X2,Y2`, in pixels. Going from the negative to the positive side of
/// (x2−x1)(y−y1)−(y2−y1)(x−x1) is in.
///
/// # Errors
/// [`LineError`] says which number is wrong, and what a line looks like.
pub fn parse_line(text: &str) -> Result<Line, LineError> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    if fields.len() != 4 {
        return Err(LineError::Count {
            text: text.to_owned(),
            found: fields.len(),
        });
    }
    let mut numbers = [0.0_f32; 4];
    for (index, (field, number)) in fields.iter().zip(&mut numbers).enumerate() {
        *number = match field.parse::<f32>() {
            Ok(number) if number.is_finite() => number,
            _ => {
                let name = ["X1", "Y1", "X2", "Y2"][index];
                return Err(LineError::Number {
                    text: text.to_owned(),
                    name,
                    field: (*field).to_owned(),
                });
            }
        };
    }
    let [x1, y1, x2, y2] = numbers;
    let line = Line {
        from: Point { x: x1, y: y1 },
        to: Point { x: x2, y: y2 },
    };
    if line.length() > 0.0 {
        Ok(line)
    } else {
        Err(LineError::NoLength {
            text: text.to_owned(),
        })
    }
}

/// Whether both ends lie in the picture, its edges included.
pub(crate) fn check_inside(line: &Line, width: u32, height: u32) -> Result<(), LineError> {
    for (name, end) in [("X1,Y1", line.from), ("X2,Y2", line.to)] {
        let inside = (0.0..=width as f32).contains(&end.x) && (0.0..=height as f32).contains(&end.y);
        if !inside {
            return Err(LineError::Outside {
                name,
                x: end.x,
                y: end.y,
                width,
                height,
            });
        }
    }
    if line.length() > 0.0 {
        Ok(())
    } else {
        Err(LineError::NoLength {
            text: format!("{line:?}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_four_numbers() {
        let line = parse_line(" 200, 0,200.5 ,360").unwrap();
        assert_eq!(
            line,
            Line {
                from: Point { x: 200.0, y: 0.0 },
                to: Point { x: 200.5, y: 360.0 }
            }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("200,0,200", "has 3 number(s)"),
            ("1,2,3,4,5", "has 5 number(s)"),
            ("", "has 1 number(s)"),
            ("200,zero,200,360", "Y1 is \"zero\""),
            ("200,0,nan,360", "X2 is \"nan\""),
            ("200,0,200,1e999", "Y2 is \"1e999\""),
            ("5,5,5,5", "both ends"),
        ] {
            let message = parse_line(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
            assert!(message.contains("200,0,200,360"), "shows an example: {message}");
        }
    }

    #[test]
    fn a_line_outside_the_picture_is_refused() {
        let line = parse_line("200,0,200,400").unwrap();
        let message = check_inside(&line, 480, 360).unwrap_err().to_string();
        assert!(
            message.contains("X2,Y2") && message.contains("480x360"),
            "{message}"
        );
        assert!(check_inside(&parse_line("200,0,200,360").unwrap(), 480, 360).is_ok());
    }
}
