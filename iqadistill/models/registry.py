"""Registries of students and of teachers: one file of settings each."""

from iqadistill.models.settings import TARGET as TARGET
from iqadistill.models.settings import StudentSettings, TeacherSettings
from iqadistill.registry import Registry

STUDENTS = Registry("iqadistill.models.students", StudentSettings, key="model", noun="student")
TEACHERS = Registry("iqadistill.models.teachers", TeacherSettings, key="model", noun="teacher")
