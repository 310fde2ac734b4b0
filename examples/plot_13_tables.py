"""
Tables
======
"""
