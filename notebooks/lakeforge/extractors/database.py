"""placeholder"""
def extract(context, step, watermark):
    raise NotImplementedError
