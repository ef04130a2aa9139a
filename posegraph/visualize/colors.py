"""Which colour a joint, a bone and a person has. All colours are (blue, green, red), 0 to 255, as OpenCV has them."""

from __future__ import annotations

import colorsys

from posegraph.skeleton import Skeleton

Color = tuple[int, int, int]

# Orange and blue stay apart for the colour-blind, and both stand out from skin, grass and asphalt.
LEFT: Color = (40, 146, 255)
RIGHT: Color = (255, 158, 48)
CENTRE: Color = (126, 226, 122)

_GOLDEN_RATIO = 0.618034


def joint_colors(skeleton: Skeleton) -> list[Color]:
    """``J`` colours: the first joint of a flip pair is a left one, the second a right one, all others centre."""
    side = {left: LEFT for left, _ in skeleton.flip_pairs} | {right: RIGHT for _, right in skeleton.flip_pairs}
    return [side.get(joint, CENTRE) for joint in skeleton.joints]


def bone_colors(skeleton: Skeleton) -> list[Color]:
    """One colour a bone: that of its side; a bone from left to right (hips, shoulders) is a centre one."""
    of_joint = joint_colors(skeleton)
    colors = []
    for first, second in skeleton.bone_rows:
        sides = {of_joint[first], of_joint[second]} - {CENTRE}
        colors.append(sides.pop() if len(sides) == 1 else CENTRE)
    return colors


def person_color(number: int) -> Color:
    """A bright colour for the person with this id; ids that follow each other are far apart in hue."""
    red, green, blue = colorsys.hsv_to_rgb((0.58 + number * _GOLDEN_RATIO) % 1.0, 0.68, 1.0)
    return round(blue * 255), round(green * 255), round(red * 255)


def is_light(color: Color) -> bool:
    """Whether black is better read on ``color`` than white (ITU-R BT.601 luma)."""
    blue, green, red = color
    return 0.114 * blue + 0.587 * green + 0.299 * red > 140
