//! Still bodies and where rays meet them.

use crate::math::{Vec3, cloud, noise2, vec3};

/// A body of the still scene.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Solid {
    /// Edges along the axes.
    Block { low: Vec3, high: Vec3 },
    /// The ground, y = 0.
    Ground,
    /// A wall across `z` from `front` to `back` with an arched way through it: `half` wide to each side,
    /// straight up to `spring`, then round.
    Portal {
        half_length: f32,
        top: f32,
        front: f32,
        back: f32,
        half: f32,
        spring: f32,
    },
    /// The inside of an arched tunnel, with a side opening to the right between `door_from` and `door_to`
    /// up to `door_top`.
    Tunnel {
        half: f32,
        spring: f32,
        front: f32,
        back: f32,
        door_from: f32,
        door_to: f32,
        door_top: f32,
    },
    /// Standing cylinder.
    Post { x: f32, z: f32, radius: f32, top: f32 },
    /// Lying cylinder along `x`.
    Roller {
        y: f32,
        z: f32,
        radius: f32,
        from_x: f32,
        to_x: f32,
    },
    /// Ball of leaves: ragged at its rim.
    Crown { centre: Vec3, radius: f32 },
    /// Heap on the ground, a cone.
    Heap { x: f32, z: f32, radius: f32, top: f32 },
    /// Troughed belt: flat to `flat` on each side, then rising by `rise` per metre to `half`.
    Trough {
        y: f32,
        flat: f32,
        half: f32,
        rise: f32,
        from_z: f32,
        to_z: f32,
    },
}

/// Where a ray meets a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meeting {
    /// In lengths of the ray's direction.
    pub(crate) distance: f32,
    pub(crate) normal: Vec3,
}

const SMALL: f32 = 1e-4;

fn slab(low: f32, high: f32, origin: f32, direction: f32) -> (f32, f32) {
    let direction = if direction.abs() < 1e-9 { 1e-9 } else { direction };
    let (one, other) = ((low - origin) / direction, (high - origin) / direction);
    (one.min(other), one.max(other))
}

fn plane(origin: f32, direction: f32, at: f32) -> Option<f32> {
    if direction.abs() < 1e-9 {
        return None;
    }
    let distance = (at - origin) / direction;
    (distance > SMALL).then_some(distance)
}

/// Both roots of a x^2 + 2 b x + c.
fn roots(a: f32, b: f32, c: f32) -> Option<(f32, f32)> {
    let discriminant = b * b - a * c;
    if a.abs() < 1e-12 || discriminant < 0.0 {
        return None;
    }
    let root = discriminant.sqrt();
    Some(((-b - root) / a, (-b + root) / a))
}

fn under_arch(x: f32, y: f32, half: f32, spring: f32) -> bool {
    if y < spring {
        x.abs() < half
    } else {
        x * x + (y - spring) * (y - spring) < half * half
    }
}

impl Solid {
    /// The first meeting of the ray with the body.
    pub(crate) fn meet(&self, origin: Vec3, direction: Vec3) -> Option<Meeting> {
        match *self {
            Self::Block { low, high } => {
                let (x0, x1) = slab(low.x, high.x, origin.x, direction.x);
                let (y0, y1) = slab(low.y, high.y, origin.y, direction.y);
                let (z0, z1) = slab(low.z, high.z, origin.z, direction.z);
                let near = x0.max(y0).max(z0);
                let far = x1.min(y1).min(z1);
                if near > far || far < SMALL || near < SMALL {
                    return None;
                }
                let normal = if near == x0 {
                    vec3(-direction.x.signum(), 0.0, 0.0)
                } else if near == y0 {
                    vec3(0.0, -direction.y.signum(), 0.0)
                } else {
                    vec3(0.0, 0.0, -direction.z.signum())
                };
                Some(Meeting {
                    distance: near,
                    normal,
                })
            }
            Self::Ground => plane(origin.y, direction.y, 0.0).map(|distance| Meeting {
                distance,
                normal: Vec3::UP,
            }),
            Self::Portal {
                half_length,
                top,
                front,
                back,
                half,
                spring,
            } => {
                // Front face with the hole; the reveal belongs to the tunnel.
                let distance = plane(origin.z, direction.z, front)?;
                let hit = origin + direction * distance;
                let on = hit.x.abs() < half_length && hit.y > 0.0 && hit.y < top && back > front;
                (on && !under_arch(hit.x, hit.y, half, spring)).then_some(Meeting {
                    distance,
                    normal: vec3(0.0, 0.0, -1.0),
                })
            }
            Self::Tunnel {
                half,
                spring,
                front,
                back,
                door_from,
                door_to,
                door_top,
            } => {
                let mut best: Option<Meeting> = None;
                let mut offer = |distance: f32, normal: Vec3| {
                    if distance > SMALL && best.is_none_or(|found| distance < found.distance) {
                        best = Some(Meeting { distance, normal });
                    }
                };
                for side in [-1.0_f32, 1.0] {
                    if let Some(distance) = plane(origin.x, direction.x, side * half) {
                        let hit = origin + direction * distance;
                        let door = side > 0.0 && hit.z > door_from && hit.z < door_to && hit.y < door_top;
                        if hit.y > 0.0 && hit.y <= spring && hit.z > front && hit.z < back && !door {
                            offer(distance, vec3(-side, 0.0, 0.0));
                        }
                    }
                }
                let (dx, dy) = (direction.x, direction.y);
                let (ox, oy) = (origin.x, origin.y - spring);
                if let Some((one, other)) = roots(
                    dx * dx + dy * dy,
                    ox * dx + oy * dy,
                    ox * ox + oy * oy - half * half,
                ) {
                    for distance in [one, other] {
                        let hit = origin + direction * distance;
                        let door = hit.x > 0.0 && hit.z > door_from && hit.z < door_to && hit.y < door_top;
                        if hit.y > spring && hit.z > front && hit.z < back && !door {
                            offer(distance, vec3(-hit.x / half, -(hit.y - spring) / half, 0.0));
                        }
                    }
                }
                if let Some(distance) = plane(origin.z, direction.z, back) {
                    let hit = origin + direction * distance;
                    if hit.y > 0.0 && under_arch(hit.x, hit.y, half, spring) {
                        offer(distance, vec3(0.0, 0.0, -1.0));
                    }
                }
                best
            }
            Self::Post { x, z, radius, top } => {
                let (ox, oz) = (origin.x - x, origin.z - z);
                let (near, _) = roots(
                    direction.x * direction.x + direction.z * direction.z,
                    ox * direction.x + oz * direction.z,
                    ox * ox + oz * oz - radius * radius,
                )?;
                let hit = origin + direction * near;
                if near > SMALL && hit.y > 0.0 && hit.y < top {
                    return Some(Meeting {
                        distance: near,
                        normal: vec3((hit.x - x) / radius, 0.0, (hit.z - z) / radius),
                    });
                }
                let distance = plane(origin.y, direction.y, top)?;
                let lid = origin + direction * distance;
                let inside = (lid.x - x) * (lid.x - x) + (lid.z - z) * (lid.z - z) < radius * radius;
                inside.then_some(Meeting {
                    distance,
                    normal: Vec3::UP,
                })
            }
            Self::Roller {
                y,
                z,
                radius,
                from_x,
                to_x,
            } => {
                let (oy, oz) = (origin.y - y, origin.z - z);
                let (near, _) = roots(
                    direction.y * direction.y + direction.z * direction.z,
                    oy * direction.y + oz * direction.z,
                    oy * oy + oz * oz - radius * radius,
                )?;
                let hit = origin + direction * near;
                if near > SMALL && hit.x > from_x && hit.x < to_x {
                    return Some(Meeting {
                        distance: near,
                        normal: vec3(0.0, (hit.y - y) / radius, (hit.z - z) / radius),
                    });
                }
                let face = if direction.x > 0.0 { from_x } else { to_x };
                let distance = plane(origin.x, direction.x, face)?;
                let end = origin + direction * distance;
                let inside = (end.y - y) * (end.y - y) + (end.z - z) * (end.z - z) < radius * radius;
                inside.then_some(Meeting {
                    distance,
                    normal: vec3(-direction.x.signum(), 0.0, 0.0),
                })
            }
            Self::Crown { centre, radius } => {
                let off = origin - centre;
                let (near, _) = roots(
                    direction.dot(direction),
                    off.dot(direction),
                    off.dot(off) - radius * radius,
                )?;
                let hit = origin + direction * near;
                let leaves = cloud(hit.x * 5.0 + hit.z * 3.0, hit.y * 5.0 - hit.z * 2.0, 17);
                let normal = (hit - centre) * (1.0 / radius);
                // Fewer leaves where the look passes the rim.
                let rim = 1.0 - (-normal.dot(direction) / direction.length()).max(0.0);
                (near > SMALL && leaves > 0.12 + 0.5 * rim * rim * rim).then_some(Meeting {
                    distance: near,
                    normal,
                })
            }
            Self::Heap { x, z, radius, top } => {
                // On the cone the distance from its axis is steep * (top - y).
                let steep = radius / top;
                let (ox, oz, drop) = (origin.x - x, origin.z - z, top - origin.y);
                let square = steep * steep;
                let a = direction.x * direction.x + direction.z * direction.z
                    - square * direction.y * direction.y;
                let b = ox * direction.x + oz * direction.z + square * drop * direction.y;
                let c = ox * ox + oz * oz - square * drop * drop;
                let (one, other) = roots(a, b, c)?;
                let hit_at = |distance: f32| {
                    let hit = origin + direction * distance;
                    (distance > SMALL && hit.y > 0.0 && hit.y <= top).then_some((distance, hit))
                };
                let first = hit_at(one.min(other)).or_else(|| hit_at(one.max(other)));
                let (distance, hit) = first?;
                let rough = vec3(
                    noise2(hit.x * 4.0, hit.z * 4.0, 3) - 0.5,
                    0.0,
                    noise2(hit.x * 4.0, hit.z * 4.0, 5) - 0.5,
                );
                let slope = vec3(hit.x - x, steep * steep * (top - hit.y).max(0.01), hit.z - z).normalised();
                Some(Meeting {
                    distance,
                    normal: (slope + rough * 0.9).normalised(),
                })
            }
            Self::Trough {
                y,
                flat,
                half,
                rise,
                from_z,
                to_z,
            } => {
                let mut best: Option<Meeting> = None;
                if let Some(distance) = plane(origin.y, direction.y, y) {
                    let hit = origin + direction * distance;
                    if hit.x.abs() <= flat && hit.z > from_z && hit.z < to_z {
                        best = Some(Meeting {
                            distance,
                            normal: Vec3::UP,
                        });
                    }
                }
                for side in [-1.0_f32, 1.0] {
                    // The wing: y - rise * (side * x - flat) is constant on it.
                    let Some(distance) = plane(
                        origin.y - rise * (side * origin.x - flat),
                        direction.y - rise * side * direction.x,
                        y,
                    ) else {
                        continue;
                    };
                    let hit = origin + direction * distance;
                    let out = side * hit.x;
                    if out > flat
                        && out < half
                        && hit.z > from_z
                        && hit.z < to_z
                        && best.is_none_or(|found| distance < found.distance)
                    {
                        best = Some(Meeting {
                            distance,
                            normal: vec3(-rise * side, 1.0, 0.0).normalised(),
                        });
                    }
                }
                best
            }
        }
    }

    /// Corners of a box around the body; nothing for bodies without end.
    pub(crate) fn bounds(&self) -> Option<(Vec3, Vec3)> {
        match *self {
            Self::Block { low, high } => Some((low, high)),
            Self::Ground | Self::Portal { .. } | Self::Tunnel { .. } => None,
            Self::Post { x, z, radius, top } => Some((
                vec3(x - radius, 0.0, z - radius),
                vec3(x + radius, top, z + radius),
            )),
            Self::Roller {
                y,
                z,
                radius,
                from_x,
                to_x,
            } => Some((
                vec3(from_x, y - radius, z - radius),
                vec3(to_x, y + radius, z + radius),
            )),
            Self::Crown { centre, radius } => {
                let reach = vec3(radius, radius, radius);
                Some((centre - reach, centre + reach))
            }
            Self::Heap { x, z, radius, top } => Some((
                vec3(x - radius, 0.0, z - radius),
                vec3(x + radius, top, z + radius),
            )),
            Self::Trough {
                y,
                half,
                rise,
                from_z,
                to_z,
                ..
            } => Some((vec3(-half, y, from_z), vec3(half, y + rise * half, to_z))),
        }
    }
}
