
lists/bad_no_listù
.
xPlaceholder*
shape:*
dtype0
X
OptionalFromValueOptionalFromValuex*
Toutput_types
2:êèÒ
7
TensorListLengthTensorListLengthOptionalFromValue
/
IdentityIdentityTensorListLength*
T0"ª")

x:0"ÍÌL¾R¸Þ?

Identity:01ñhãˆµøä>9íµ ÷Æ°>B'tools/golden_case.py, TensorFlow 2.21.0RINVALID_ARGUMENTZLOAD|RUNbIdentitybOptionalFromValuebPlaceholderbTensorListLengthj5    File "/tmp/opset/lists.py", line 137, in <module>