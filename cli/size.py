"""``WxH`` as an option's type."""

from __future__ import annotations

import click


class Size(click.ParamType[tuple[int, int]]):
    """``WxH`` in pixels."""

    name = "WxH"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        width, _, height = value.lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            self.fail(f"{value!r} is no size; give width and height in pixels, such as 320x240", param, ctx)
        return int(width), int(height)
