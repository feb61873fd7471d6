"""Pillow's decoders, or the error that says how to install them."""

from consent_client.errors import MissingModel

try:
    from PIL import Image, ImageDraw, ImageFile, ImageFont, TiffTags
    from PIL.AvifImagePlugin import AvifImageFile
    from PIL.GifImagePlugin import GifImageFile
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.TiffImagePlugin import TiffImageFile
    from PIL.WebPImagePlugin import WebPImageFile
except ImportError as problem:
    raise MissingModel(
        "pictures can not be read without Pillow 11.3 or newer: pip install"
        " 'consent-client[images]'",
        extra="images",
    ) from problem

__all__ = [
    "AvifImageFile",
    "GifImageFile",
    "Image",
    "ImageDraw",
    "ImageFile",
    "ImageFont",
    "JpegImageFile",
    "PngImageFile",
    "TiffImageFile",
    "TiffTags",
    "WebPImageFile",
]
