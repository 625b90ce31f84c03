"""The template tags of the app's templates."""

from __future__ import annotations

from django import template
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, get_language_info, pgettext

from ..internal import plain_text

__all__ = ["is_first", "page_language"]

register = template.Library()

register.filter("end_once", plain_text.end_once, is_safe=True)


@register.simple_tag
def page_language() -> SafeString:
    """Return the HTML attributes ``lang`` and ``dir`` for the app's own texts.

    The app may have no translation into the active language.  Its texts are then in
    ``LANGUAGE_CODE`` or in English, and a screen reader must not read them in the active language.
    So each translation contains the code of its language.
    """
    # Translators: The code of the language of this catalogue, for the attribute lang, such as "de",
    # "pt-BR" or "zh-Hans".
    code = pgettext("code of this language", "en")
    try:
        is_bidi = get_language_info(code.lower())["bidi"]
    except KeyError:  # a catalogue of the site's own with another text there
        code, is_bidi = get_language() or "en", False
    return format_html('lang="{}" dir="{}"', code, "rtl" if is_bidi else "ltr")


@register.simple_tag(takes_context=True)
def is_first(context: Context, name: str) -> bool:
    """Return whether this is the first call with ``name`` while the page is rendered."""
    # The lowest layer of the context is shared by all templates of one page.
    asked = context.dicts[0].setdefault("bandwidth_mfa_asked", set())
    if name in asked:
        return False
    asked.add(name)
    return True
