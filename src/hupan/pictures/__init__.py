"""Captcha pictures: how they are drawn, and a pool that keeps some ready."""
